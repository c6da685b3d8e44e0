import { systemCaller } from "@/core/caller.ts";
import { isRemovalDue, type Node } from "@/core/node.ts";
import type { Clock } from "@/ports/clock.ts";
import { isRefusal } from "@/std/errors.ts";
import type { Members } from "./members.ts";
import type { Roster } from "./roster.ts";

const ITSELF = systemCaller("registry");
const GRACE_OVER = "its suspension was not lifted in time";

/** What the pool does with nodes by itself when their time is over. */
export class Tending {
  readonly #clock: Clock;
  readonly #roster: Roster;
  readonly #members: Members;
  readonly #startedMs: number;

  constructor(clock: Clock, roster: Roster, members: Members) {
    this.#clock = clock;
    this.#roster = roster;
    this.#members = members;
    this.#startedMs = clock.now();
  }

  /**
   * Removes nodes whose suspension has run out, and forgets those that were pending for too long or
   * whose pool is public no more.
   */
  async tend(pendingSeconds: number): Promise<void> {
    const nowMs = this.#clock.now();
    for (const node of this.#roster.nodes()) {
      if (isRemovalDue(node, nowMs)) {
        await unlessRefused(() => this.#members.suspending.remove(ITSELF, node.id, GRACE_OVER));
      } else if (this.#isPastPending(node, nowMs - pendingSeconds * 1000)) {
        await unlessRefused(() => this.#members.forget(ITSELF, node, "node.expired"));
      }
    }
  }

  /** The time in which the pool did not run counts for nobody. */
  #isPastPending({ status, pending, pool }: Node, oldestMs: number): boolean {
    if (status !== "pending" || !pending) return false;
    const sinceMs = Math.max(pending.sinceMs, this.#startedMs);
    return sinceMs <= oldestMs || this.#roster.pool(pool)?.visibility !== "public";
  }
}

/** Where somebody else changed it, or the disk takes no writes, it is looked at again. */
async function unlessRefused(act: () => Promise<unknown>): Promise<void> {
  try {
    await act();
  } catch (error) {
    if (!isRefusal(error)) throw error;
  }
}
