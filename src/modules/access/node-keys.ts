import type { NodeId } from "@/core/ids.ts";
import type { Database, Write } from "@/ports/database.ts";
import { keyTaken } from "./refusals.ts";

/** What was certified for nodes, and the keys they had before. */
export class NodeKeys {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** When the newest certificate of a node ends, if it ever had one. */
  async notAfterMs(node: NodeId): Promise<number | undefined> {
    const query = this.#database.sql.selectFrom("node_certificate").select("not_after_ms");
    const [row] = await query.where("node", "=", node).execute();
    return row && Number(row.not_after_ms);
  }

  /** Notes until when a node is certified. */
  certified(node: NodeId, notAfterMs: number): Write {
    const values = { node, not_after_ms: BigInt(notAfterMs) };
    const query = this.#database.sql
      .insertInto("node_certificate")
      .values(values)
      .onConflict((conflict) =>
        conflict.column("node").doUpdateSet({ not_after_ms: values.not_after_ms }),
      );
    return { query: query.compile(), rows: 1 };
  }

  /** Refuses a key that some node has put away (`node.key_taken`). */
  async requireUnseen(publicKey: Uint8Array): Promise<void> {
    const query = this.#database.sql.selectFrom("retired_key").select("node");
    const [row] = await query.where("public_key", "=", publicKey).execute();
    if (row) throw keyTaken();
  }

  /** Puts a key away: it opens nothing from this commit on. */
  retire(node: NodeId, publicKey: Uint8Array, nowMs: number): Write {
    const values = { public_key: publicKey, node, at_ms: BigInt(nowMs) };
    const query = this.#database.sql.insertInto("retired_key").values(values);
    return { query: query.compile(), rows: 1, refusal: keyTaken() };
  }

  /** When the node last changed its key, if it ever did. */
  async rotatedAtMs(node: NodeId): Promise<number | undefined> {
    const query = this.#database.sql.selectFrom("retired_key").select("at_ms");
    const [row] = await query.where("node", "=", node).orderBy("at_ms", "desc").limit(1).execute();
    return row && Number(row.at_ms);
  }
}
