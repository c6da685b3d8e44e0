import type { Slot, Ticks } from "./slot.ts";

/** The newest accepted heartbeat of a session: what a close turns into credit. */
export interface PresenceRow {
  readonly session: Uint8Array;
  readonly ticks: Ticks;
  readonly slot: Slot;
  readonly openSlot: Slot;
  /** The CLAIM's bytes. */
  readonly claim: Uint8Array;
  /** The OPEN's bytes, while no close has stored them. */
  readonly open: Uint8Array | undefined;
  /** It was heard while its node was pending: it settles the session, and never earns. */
  readonly isPending?: boolean | undefined;
}
