/** Where dice are rolled. Tests hand in a seeded one. */
export interface Random {
  /** Bytes fit for secrets. */
  bytes(length: number): Uint8Array;
  /** A number in [0, 1) for jitter. */
  fraction(): number;
}
