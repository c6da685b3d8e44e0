import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { defineModule } from "@/kernel/module.ts";
import type { Figure, Metrics } from "@/ports/metrics.ts";
import { scrub } from "@/std/scrub.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    metrics: Metrics;
  }
}

type Read = () => readonly Figure[] | Promise<readonly Figure[]>;

/** Figures over prom-client. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  return {
    gauge(name, help, labelNames, read) {
      new Gauge({ name, help, labelNames: [...labelNames], registers, collect: setting(read) });
    },
    total(name, help, labelNames, read) {
      new Counter({ name, help, labelNames: [...labelNames], registers, collect: raising(read) });
    },
    counter(name, help, labelNames) {
      const counter = new Counter({ name, help, labelNames: [...labelNames], registers });
      return (labels = {}, by = 1) => counter.inc({ ...labels }, by);
    },
    histogram(name, help, buckets) {
      const histogram = new Histogram({ name, help, buckets: [...buckets], registers });
      return (seconds) => histogram.observe(seconds);
    },
    async scrape(openMetrics) {
      const text = scrub(await registry.metrics());
      if (!openMetrics) return { text, contentType: Registry.PROMETHEUS_CONTENT_TYPE };
      return { text: asOpenMetrics(text), contentType: Registry.OPENMETRICS_CONTENT_TYPE };
    },
  };
}

/** Made here, because prom-client renames its counters for good when it writes OpenMetrics once. */
function asOpenMetrics(text: string): string {
  const families = text.replace(/^(# (?:HELP|TYPE) \w+)_total /gm, "$1 ");
  return `${families.replace(/\n{2,}/g, "\n")}# EOF\n`;
}

function setting(read: Read) {
  return async function (this: Gauge): Promise<void> {
    this.reset();
    for (const { value, labels } of await read()) this.set({ ...labels }, value);
  };
}

function raising(read: Read) {
  return async function (this: Counter): Promise<void> {
    const figures = await read();
    this.reset();
    for (const { value, labels } of figures) this.inc({ ...labels }, value);
  };
}

/** Provides `metrics`. */
export const metrics = defineModule({
  name: "metrics",
  needs: [],
  provides: "metrics",
  start: createMetrics,
});
