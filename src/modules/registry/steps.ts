import type { Caller } from "@/core/caller.ts";
import { changedNode, type Node, type NodeRecord, unheardNode } from "@/core/node.ts";
import type { EventMap } from "@/kernel/events.ts";
import type { Write } from "@/ports/database.ts";
import type { RegistryParts } from "./parts.ts";
import type { Roster } from "./roster.ts";
import { endMembership, saveNode } from "./table.ts";

/**
 * A change that somebody else commits together with writes of his own. After the commit he calls
 * `done`; when it was refused, `release`, or the place stays held until the next start.
 */
export interface Pending {
  /** The node as it will be. */
  readonly node: Node;
  readonly writes: readonly Write[];
  done(): Node;
  release(): void;
}

/** The events that name a node and its pool. */
type NodeEventName = Extract<keyof EventMap, `node.${string}`>;

/** One change of a node, decided. */
export interface Step {
  readonly record: NodeRecord;
  /** Past tense, dotted: the audit's word for it. */
  readonly action: string;
  readonly event: NodeEventName;
  readonly writes?: readonly Write[];
  /** What the audit says besides the pool. */
  readonly detail?: Readonly<Record<string, string>>;
}

/** Brings decided changes of nodes to the disk, then into memory, then to whoever listens. */
export class Steps {
  readonly #parts: RegistryParts;
  readonly #roster: Roster;

  constructor(parts: RegistryParts, roster: Roster) {
    this.#parts = parts;
    this.#roster = roster;
  }

  end(node: NodeRecord, reason: "left" | "removed" | "moved"): Write {
    const end = { atMs: this.#parts.clock.now(), reason };
    return endMembership(this.#parts.database.sql, node.id, end);
  }

  pending(caller: Caller, step: Step, release: () => void): Pending {
    const { record, action, writes = [] } = step;
    const before = this.#roster.node(record.id);
    const row = this.#parts.audit.row(caller, action, record.id, { pool: record.pool });
    return {
      node: before ? changedNode(before, record) : unheardNode(record),
      writes: [...writes, row],
      release,
      done: () => {
        release();
        return this.#land(step);
      },
    };
  }

  async save(caller: Caller, step: Step): Promise<Node> {
    const { database, audit } = this.#parts;
    const { record, action, writes = [], detail } = step;
    const row = audit.row(caller, action, record.id, { pool: record.pool, ...detail });
    await database.commit([saveNode(database.sql, record), ...writes, row]);
    return this.#land(step);
  }

  #land({ record, event }: Step): Node {
    const from = this.#roster.node(record.id)?.pool ?? record.pool;
    const node = this.#roster.put(record);
    this.#parts.events.tell(event, { node: node.id, pool: node.pool, from });
    return node;
  }
}
