/** Label names and values of one figure; labels have few values. */
export type Labels = Readonly<Record<string, string>>;

/** One figure of a gauge at the moment of a scrape. */
export interface Figure {
  readonly value: number;
  readonly labels?: Labels;
}

/** Figures for Prometheus: `galaxy_<noun>_<unit>`, seconds and bytes, counters end in `_total`. */
export interface Metrics {
  /** A figure read when somebody asks; what cannot be known is left out. */
  gauge(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => readonly Figure[] | Promise<readonly Figure[]>,
  ): void;
  /** A figure that only rises, read when somebody asks. */
  total(
    name: string,
    help: string,
    labelNames: readonly string[],
    read: () => readonly Figure[] | Promise<readonly Figure[]>,
  ): void;
  /** A figure that only rises; the answer adds to it. */
  counter(
    name: string,
    help: string,
    labelNames: readonly string[],
  ): (labels?: Labels, by?: number) => void;
  /** A distribution of seconds; the answer observes one. */
  histogram(name: string, help: string, buckets: readonly number[]): (seconds: number) => void;
  /** The text of a scrape, and its content type. */
  scrape(openMetrics: boolean): Promise<{ readonly text: string; readonly contentType: string }>;
}
