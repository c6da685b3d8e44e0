/** The pool's time (poot.md, section 1). */
export interface PoolTime {
  readonly nowMs: number;
  readonly slot: number;
  readonly slotSeconds: number;
  /** While it is not trusted, nothing is issued. */
  readonly trusted: boolean;
}
