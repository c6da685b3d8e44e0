import type { NodeId } from "@/core/ids.ts";
import { type HealthChange, noteAlive, observeSlot } from "@/core/poot/membership.ts";
import type { EndedSlots } from "@/core/poot/pool-time.ts";
import { slotsIn } from "@/core/poot/slot.ts";
import { wasHeard } from "@/core/poot/slot-window.ts";
import type { PootState } from "./parts.ts";
import type { PoolMemory } from "./pool-memory.ts";

const SILENCE_SECONDS_MAX = 3_600;

/** Says at the end of each slot who is late and who is lost (poot.md, section 5). */
export class Judging {
  readonly #state: PootState;

  constructor(state: PootState) {
    this.#state = state;
  }

  /** Takes slots that have ended into account; those the pool did not look at cost nobody anything. */
  observe(ended: readonly EndedSlots[]): void {
    for (const { from, isLooked } of ended) {
      if (!isLooked) continue;
      for (const memory of this.#state.pools.values()) this.#observeIn(memory, from);
    }
  }

  /** The members that ever opened a session are expected from now on. */
  expectMembers(memory: PoolMemory): void {
    for (const { id, status } of this.#state.parts.registry.nodesOf(memory.pool)) {
      if (status !== "member" || memory.books.get(id)?.marks.firstOpenSlot === undefined) continue;
      if (!memory.health.nodes.has(id)) noteAlive(memory.health, id);
    }
  }

  #observeIn(memory: PoolMemory, slot: number): void {
    const isUp = (node: NodeId) => {
      const window = memory.presence.nodes.get(node)?.window;
      return window !== undefined && wasHeard(window, slot);
    };
    const { settings, registry, log } = this.#state.parts;
    const changes = observeSlot(
      memory.health,
      { slot, isLooked: true, isUp },
      {
        lostAfterSlots: registry.lostAfterSlots,
        silenceMaxSlots: slotsIn(SILENCE_SECONDS_MAX, settings.slotSeconds),
      },
    );
    if (memory.health.silence?.since === slot) {
      log.warn({ pool: memory.pool }, "most nodes fell silent together, nobody is given up");
    }
    for (const change of changes) this.#tell(change);
  }

  #tell({ node: id, to: state }: HealthChange): void {
    const { registry } = this.#state.parts;
    const node = registry.findNode(id);
    if (!node || node.state === state) return;
    // Not heard since the start, it may be gone for weeks: only one that was heard can be late.
    if (node.state === "new" && state === "late") return;
    registry.judge(id, { state });
  }
}
