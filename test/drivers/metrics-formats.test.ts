import { describe, expect, test } from "bun:test";
import { createMetrics } from "@/drivers/metrics.ts";

function metrics() {
  const made = createMetrics();
  made.gauge("galaxy_pools", "Pools.", [], () => [{ value: 2 }]);
  made.total("galaxy_slots_total", "Slots by state.", ["state"], () => [
    { value: 7, labels: { state: "up" } },
  ]);
  made.counter("galaxy_heartbeats_total", "Heartbeats.", [])({}, 3);
  made.histogram("galaxy_heartbeat_seconds", "Time.", [0.1, 1])(0.5);
  return made;
}

describe("a scrape in two formats", () => {
  test("is text of Prometheus", async () => {
    const { text, contentType } = await metrics().scrape(false);
    expect(contentType).toStartWith("text/plain; version=0.0.4");
    expect(text).toContain("# TYPE galaxy_slots_total counter\n");
    expect(text).toContain('galaxy_slots_total{state="up"} 7\n');
    expect(text).toContain("galaxy_pools 2\n");
    expect(text).not.toContain("# EOF");
  });

  test("is OpenMetrics when asked: families without _total, no empty line, an end", async () => {
    const { text, contentType } = await metrics().scrape(true);
    expect(contentType).toStartWith("application/openmetrics-text; version=1.0.0");
    expect(text).toContain("# HELP galaxy_slots Slots by state.\n# TYPE galaxy_slots counter\n");
    expect(text).toContain('galaxy_slots_total{state="up"} 7\n');
    expect(text).toContain("# TYPE galaxy_heartbeats counter\ngalaxy_heartbeats_total 3\n");
    expect(text).toContain('galaxy_heartbeat_seconds_bucket{le="1"} 1\n');
    expect(text).not.toContain("\n\n");
    expect(text).toEndWith("\n# EOF\n");
  });

  test("is the same whoever asked before, in whatever format", async () => {
    const made = metrics();
    const before = await made.scrape(false);
    const [open, meanwhile] = await Promise.all([made.scrape(true), made.scrape(false)]);
    expect(meanwhile).toEqual(before);
    expect(await made.scrape(false)).toEqual(before);
    expect(await made.scrape(true)).toEqual(open);
  });
});
