import type { NodeId } from "@/core/ids.ts";
import type { Database } from "@/ports/database.ts";
import { sameBytes } from "@/std/bytes.ts";

/** Which root each node keeps: memory in front, a row behind it. */
export class NodeTrust {
  readonly #database: Database;
  readonly #pins = new Map<NodeId, Uint8Array>();

  constructor(database: Database) {
    this.#database = database;
  }

  async load(): Promise<void> {
    const rows = await this.#database.sql.selectFrom("node_trust").selectAll().execute();
    for (const { node, pin } of rows) this.#pins.set(node as NodeId, pin);
  }

  /** Whether a node has said that it keeps the root of this pin. */
  keeps(node: NodeId, pin: Uint8Array): boolean {
    const known = this.#pins.get(node);
    return known !== undefined && sameBytes(known, pin);
  }

  /** Notes which root a node keeps; what is known costs nothing. */
  async note(node: NodeId, pin: Uint8Array): Promise<void> {
    if (this.keeps(node, pin)) return;
    const query = this.#database.sql
      .insertInto("node_trust")
      .values({ node, pin })
      .onConflict((conflict) => conflict.column("node").doUpdateSet({ pin }));
    await this.#database.commit([{ query: query.compile(), rows: 1 }]);
    this.#pins.set(node, pin);
  }
}
