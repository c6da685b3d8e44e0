import {
  Counter,
  Gauge,
  Histogram,
  type OpenMetricsContentType,
  type PrometheusContentType,
  Registry,
} from "prom-client";
import { defineModule } from "@/kernel/module.ts";
import type { Figure, Metrics } from "@/ports/metrics.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    metrics: Metrics;
  }
}

type AnyRegistry = Registry<PrometheusContentType> | Registry<OpenMetricsContentType>;
type Read = () => readonly Figure[] | Promise<readonly Figure[]>;

/** Figures over prom-client. */
export function createMetrics(): Metrics {
  const registry: AnyRegistry = new Registry();
  const registers = [registry as Registry];
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
      const type = openMetrics
        ? Registry.OPENMETRICS_CONTENT_TYPE
        : Registry.PROMETHEUS_CONTENT_TYPE;
      (registry as Registry<typeof type>).setContentType(type);
      return { text: await registry.metrics(), contentType: type };
    },
  };
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
