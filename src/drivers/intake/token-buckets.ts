/** How often a flow may ask: so many a second in the long run, so many at once. */
export interface Rate {
  readonly perSecond: number;
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** A bucket of tokens for each flow. Memory is bounded: the flow that was seen first is forgotten. */
export class TokenBuckets {
  readonly #rate: Rate;
  readonly #flowsMax: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(rate: Rate, flowsMax: number) {
    this.#rate = rate;
    this.#flowsMax = flowsMax;
  }

  /** Takes a token and answers 0, or takes none and answers in how many seconds there will be one. */
  take(flow: string, nowMs: number): number {
    const { perSecond, burst } = this.#rate;
    const bucket = this.#buckets.get(flow) ?? this.#remember(flow, nowMs);
    const grown = bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond;
    bucket.tokens = Math.min(burst, grown);
    bucket.atMs = nowMs;
    if (bucket.tokens < 1) return (1 - bucket.tokens) / perSecond;
    bucket.tokens--;
    return 0;
  }

  get size(): number {
    return this.#buckets.size;
  }

  #remember(flow: string, nowMs: number): Bucket {
    const [oldest] = this.#buckets.size >= this.#flowsMax ? this.#buckets.keys() : [];
    if (oldest !== undefined) this.#buckets.delete(oldest);
    const bucket = { tokens: this.#rate.burst, atMs: nowMs };
    this.#buckets.set(flow, bucket);
    return bucket;
  }
}
