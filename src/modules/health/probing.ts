import type { NodeId } from "@/core/ids.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Probes } from "@/ports/probes.ts";

/** How one node answered over the last day, hour by hour, so that it stays small. */
interface Tally {
  hour: number;
  readonly sent: number[];
  readonly answered: number[];
}

const HOURS = 24;
const HOUR_MS = 3_600_000;
const SENT_MIN = 5;
const FULL = 1000;

/** How and how often endpoints are probed. */
export interface ProbingTerms {
  readonly timeoutMs: number;
  /** The average time between two probes of one node; each waits a random part of twice that. */
  readonly everyMs: number;
  readonly atOnceMax: number;
}

/**
 * Asks the endpoints of nodes that have one, at random times (poot.md, section 6). Health ‰ is what
 * was answered of what was sent over the last 24 h, and 1000 while fewer than five were sent. A node
 * without an endpoint keeps 1000: nodes dial out, the pool need not reach them.
 */
export class Probing {
  readonly #registry: Registry;
  readonly #probes: Probes;
  readonly #terms: ProbingTerms;
  readonly #tallies = new Map<NodeId, Tally>();
  #asking = 0;

  constructor(registry: Registry, probes: Probes, terms: ProbingTerms) {
    this.#registry = registry;
    this.#probes = probes;
    this.#terms = terms;
  }

  /** Asks some of the nodes: each with the chance that makes `everyMs` its average. Call every `tickMs`. */
  async tick(nowMs: number, tickMs: number, roll: () => number): Promise<void> {
    const chance = Math.min(1, tickMs / this.#terms.everyMs);
    const due: { id: NodeId; endpoint: string }[] = [];
    for (const pool of this.#registry.listPools()) {
      for (const { id, endpoint, state } of this.#registry.nodesOf(pool.id)) {
        if (endpoint && state === "alive" && roll() < chance) due.push({ id, endpoint });
      }
    }
    await Promise.all(due.map(({ id, endpoint }) => this.#ask(id, endpoint, nowMs)));
  }

  /** Forgets nodes that went away. */
  forget(node: NodeId): void {
    this.#tallies.delete(node);
  }

  /** The health of a node in thousandths. */
  healthOf(node: NodeId): number {
    const tally = this.#tallies.get(node);
    if (!tally) return FULL;
    const sent = sum(tally.sent);
    return sent < SENT_MIN ? FULL : Math.floor((FULL * sum(tally.answered)) / sent);
  }

  async #ask(id: NodeId, endpoint: string, nowMs: number): Promise<void> {
    if (this.#asking >= this.#terms.atOnceMax) return;
    this.#asking++;
    try {
      this.record(id, await this.#probes.ask(endpoint, this.#terms.timeoutMs), nowMs);
    } finally {
      this.#asking--;
    }
  }

  /** Counts one answer or silence, and tells the registry. */
  record(id: NodeId, answered: boolean, nowMs: number): void {
    const tally = this.#tallyOf(id, Math.floor(nowMs / HOUR_MS));
    const at = tally.hour % HOURS;
    tally.sent[at] = (tally.sent[at] ?? 0) + 1;
    tally.answered[at] = (tally.answered[at] ?? 0) + (answered ? 1 : 0);
    if (this.#registry.findNode(id)) {
      this.#registry.judge(id, { healthPermille: this.healthOf(id) });
    }
  }

  /** The tally of a node with the hours since the last probe emptied. */
  #tallyOf(id: NodeId, hour: number): Tally {
    const known = this.#tallies.get(id);
    const tally = known ?? { hour, sent: [], answered: [] };
    if (!known) this.#tallies.set(id, tally);
    const passed = Math.min(HOURS, Math.max(0, hour - tally.hour));
    for (let step = 1; step <= passed; step++) {
      tally.sent[(tally.hour + step) % HOURS] = 0;
      tally.answered[(tally.hour + step) % HOURS] = 0;
    }
    tally.hour = Math.max(tally.hour, hour);
    return tally;
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, number) => all + (number ?? 0), 0);
}
