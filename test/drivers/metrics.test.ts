import { describe, expect, test } from "bun:test";
import { createChecks } from "@/drivers/checks.ts";
import { createMetrics } from "@/drivers/metrics.ts";

async function lines(metrics: ReturnType<typeof createMetrics>, open = false): Promise<string[]> {
  const { text } = await metrics.scrape(open);
  return text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
}

describe("a scrape", () => {
  test("reads gauges when it is asked, and leaves out what is no longer there", async () => {
    const metrics = createMetrics();
    let figures = [
      { value: 2, labels: { state: "alive" } },
      { value: 1, labels: { state: "lost" } },
    ];
    metrics.gauge("galaxy_things", "Things.", ["state"], () => figures);
    expect(await lines(metrics)).toEqual([
      'galaxy_things{state="alive"} 2',
      'galaxy_things{state="lost"} 1',
    ]);
    figures = [{ value: 3, labels: { state: "alive" } }];
    expect(await lines(metrics)).toEqual(['galaxy_things{state="alive"} 3']);
  });

  test("shows totals as they are now, however often it is asked", async () => {
    const metrics = createMetrics();
    metrics.total("galaxy_bytes_total", "Bytes.", [], () => [{ value: 7 }]);
    await lines(metrics);
    expect(await lines(metrics)).toEqual(["galaxy_bytes_total 7"]);
  });

  test("adds up counters and spreads what a histogram observed", async () => {
    const metrics = createMetrics();
    const count = metrics.counter("galaxy_calls_total", "Calls.", ["outcome"]);
    count({ outcome: "accepted" });
    count({ outcome: "accepted" }, 2);
    const observe = metrics.histogram("galaxy_wait_seconds", "Waiting.", [0.1, 1]);
    observe(0.5);
    const text = await lines(metrics);
    expect(text).toContain('galaxy_calls_total{outcome="accepted"} 3');
    expect(text).toContain('galaxy_wait_seconds_bucket{le="0.1"} 0');
    expect(text).toContain('galaxy_wait_seconds_bucket{le="1"} 1');
  });

  test("ends with EOF in OpenMetrics, and says its type", async () => {
    const metrics = createMetrics();
    metrics.gauge("galaxy_things", "Things.", [], () => [{ value: 1 }]);
    const { text, contentType } = await metrics.scrape(true);
    expect(text.trimEnd().endsWith("# EOF")).toBe(true);
    expect(contentType).toContain("application/openmetrics-text");
    expect((await metrics.scrape(false)).contentType).toContain("text/plain");
  });
});

describe("the readiness checks", () => {
  test("run in the order added, and one that throws is not ok", async () => {
    const checks = createChecks();
    checks.add("good", () => ({ ok: true, detail: "well" }));
    checks.add("bad", () => {
      throw new Error("the disk is gone");
    });
    checks.add("slow", async () => ({ ok: false, detail: "late" }));
    expect([...(await checks.run())]).toEqual([
      ["good", { ok: true, detail: "well" }],
      ["bad", { ok: false, detail: "the disk is gone" }],
      ["slow", { ok: false, detail: "late" }],
    ]);
  });
});
