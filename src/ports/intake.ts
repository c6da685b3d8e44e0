import type { Caller } from "@/core/caller.ts";

/**
 * What a request is when there is too much to do, from what passes first to what waits longest.
 * `probe` is a question about health: it never waits and is never shed.
 */
export type RequestClass = "probe" | "heartbeat" | "admin" | "enrol" | "read" | "export";

/**
 * Decides what is worked on, before anything expensive is done for it. Whoever asks too often is
 * refused with `exhausted` (`limit.address`, `limit.caller`), what there is no time or room for with
 * `unavailable` (`pool.overloaded`); both say when to come back.
 */
export interface Intake {
  /** Whether callers on this machine are counted too. */
  readonly countsLoopback: boolean;
  /** Counts a request of somebody not known yet against the network it came from. */
  knock(address: string, of: RequestClass): void;
  /** Counts a request of somebody known against what that caller may ask. */
  recognise(caller: Caller, address: string, of: RequestClass): void;
  /** Takes a place in the class at once, or answers what to wait for; each ends with `leave`. */
  enter(of: RequestClass): Promise<void> | undefined;
  leave(of: RequestClass): void;
  /** Whether memory is so short that no new connection should be taken. */
  isFull(): boolean;
}
