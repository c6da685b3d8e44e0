import type { SigScheme } from "./signatures.ts";
import type { Hash, Ms, PublicKey } from "./types.ts";

/** What a replica is in the network (§8.4); an archive is an observer or validator that keeps it all. */
export type Role = "validator" | "observer";

/** What does not change while a replica runs (section 14). */
export interface Config {
  readonly chainId: Hash;
  /** My key, by which my index in each epoch is found, and by which peers know me. */
  readonly me: PublicKey;
  /** An observer never votes, even with a key in the set. */
  readonly role: Role;
  readonly scheme: SigScheme;
  /** Δ: what a message takes at most between honest replicas, once the network behaves. */
  readonly deltaMs: Ms;
  /** E: every E-th view is entered by a timeout certificate; 1, or f + 1 for large n (§7.1). */
  readonly syncPeriod: number;
  /** Up to so many validators, commit votes and timeout certificates go to all (16). */
  readonly commitFanoutMax: number;
  /** Up to so many validators, wishes go to all (32, §7.3). */
  readonly wishFanoutMax: number;
  /** τ0 and τ_max of §7.4. */
  readonly timeoutMs: Ms;
  readonly timeoutMsMax: Ms;
  /** How long a proposal in an idle network lets commit votes arrive: 2Δ (§7.4). */
  readonly commitGraceMs: Ms;
  /** The least time from a block to the next; 0 for none. Longer ones batch instead of spinning. */
  readonly blockIntervalMsMin: Ms;
  /** A block after so much silence; null for none. */
  readonly idleMsMax: Ms | null;
  readonly statusIntervalMs: Ms;
  /** The longest pause between two resends (10 s, §5.2). */
  readonly resendMsMax: Ms;
  /** How far in the future a block may be dated, and how far in the past (§10.5). */
  readonly driftMsMax: Ms;
  readonly stalenessMs: Ms;
  readonly blockTxsMax: number;
  readonly blockBytesMax: number;
  /** Committed heights that may wait for execution before leaders stop filling blocks (64, §10.4). */
  readonly unexecutedMax: number;
  /** So many heights behind I do not vote on proposals, until fewer than the second (256, 8; §8.5). */
  readonly lagMax: number;
  readonly lagOver: number;
  /** Bytes of blocks whose parents are unknown (64 MiB, §8.1). */
  readonly orphanBytesMax: number;
}
