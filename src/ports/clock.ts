/** Time, as the program sees it. Tests hand in one that they turn by hand. */
export interface Clock {
  /** The wall clock, milliseconds since 1970; it may jump. */
  now(): number;
  /** Milliseconds since some moment in the past; it never jumps. Durations are measured with it. */
  monotonic(): number;
  /** Calls back once after `ms`; the answer cancels it. */
  after(ms: number, callback: () => void): () => void;
  /** Calls back every `ms`; the answer ends it. */
  every(ms: number, callback: () => void): () => void;
}
