import { type Caller, denied } from "@/core/caller.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import {
  type AddressStatement,
  addressHash,
  decodeAddress,
  NO_STATEMENT,
  verifyAddress,
} from "@/core/payout/address.ts";
import {
  type AddressBook,
  addressBookAt,
  decideAddress,
  EMPTY_ADDRESS_BOOK,
  findAddressHold,
  receiveAddress,
} from "@/core/payout/address-book.ts";
import type { Pool } from "@/core/pool.ts";
import type { Write } from "@/ports/database.ts";
import { fromHex, sameBytes, toHex } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";
import { addressRow, type StoredAddress, storedAddressOf } from "./address-rows.ts";
import type { PayoutParts } from "./parts.ts";

/** A statement may be made a little ahead of the pool's slot, so that clocks need not agree. */
const SLOTS_AHEAD_MAX = 2;
const NODES_PER_READ = 500;

/** Where a node is paid, as it is shown. */
export interface AddressStanding {
  readonly pool: PoolId;
  readonly node: NodeId;
  readonly book: AddressBook;
  readonly state: "none" | "confirmed" | "changing" | "contested";
  /** SHA-256 of the newest statement: the next one names it; zeros before the first. */
  readonly newest: Uint8Array;
}

/** Keeps where nodes want to be paid: what they signed, and nothing else. */
export class Addresses {
  readonly #parts: PayoutParts;

  constructor(parts: PayoutParts) {
    this.#parts = parts;
  }

  /** Where a node is paid at a pool now. */
  async find(pool: PoolId, node: NodeId): Promise<AddressStanding> {
    const stored = (await this.booksOf(pool, [node])).get(node);
    return this.#standingOf({ pool, node, stored });
  }

  /** The addresses of some nodes, as they are now. */
  async booksOf(
    pool: PoolId,
    nodes: readonly NodeId[],
  ): Promise<ReadonlyMap<NodeId, StoredAddress>> {
    const found = new Map<NodeId, StoredAddress>();
    for (let at = 0; at < nodes.length; at += NODES_PER_READ) {
      const part = nodes.slice(at, at + NODES_PER_READ);
      const query = this.#parts.database.sql.selectFrom("payout_address").selectAll();
      const rows = await query.where("pool", "=", pool).where("node", "in", part).execute();
      for (const row of rows) found.set(row.node as NodeId, this.#now(storedAddressOf(row)));
    }
    return found;
  }

  /**
   * Takes a node's signed statement; only the node itself hands it in. Refuses one that is not its
   * own, does not follow the newest, or names an address the rail cannot pay to.
   */
  async set(caller: Caller, bytes: Uint8Array): Promise<AddressStanding> {
    if (caller.node === undefined) throw denied("set the payout address of a node");
    const node = this.#parts.registry.getNode(caller.node);
    const pool = this.#poolOf(bytes);
    const stored = (await this.booksOf(pool.id, [node.id])).get(node.id);
    await this.#requireMember(node, pool.id);
    const hash = toHex(addressHash(bytes));
    const now = { pool: pool.id, node: node.id, stored };
    if (stored?.newest === hash) return this.#standingOf(now);
    const statement = this.#verified(bytes, { node, pool, stored });
    this.#requirePayable(statement);
    const { nowMs } = this.#parts.poot.poolTime();
    const next = { rail: statement.rail, address: statement.address, statement: hash };
    const book = receiveAddress(stored?.book ?? EMPTY_ADDRESS_BOOK, next, nowMs);
    const after: StoredAddress = {
      pool: pool.id,
      node: node.id,
      book,
      newest: hash,
      newestSlot: statement.slot,
    };
    await this.#parts.database.commit([
      this.#save(after, stored),
      this.#keep(after, bytes),
      this.#parts.audit.row(caller, "payout.address_set", node.id, {
        pool: pool.id,
        rail: next.rail,
        address: next.address,
        statement: hash,
      }),
    ]);
    this.#parts.events.tell("payout.address_set", { pool: pool.id, node: node.id });
    return this.#standingOf({ ...now, stored: after });
  }

  /** The operator decides between two changes within a day. */
  async decide(
    caller: Caller,
    { pool, node }: { readonly pool: PoolId; readonly node: NodeId },
    choice: "confirmed" | "newest",
  ): Promise<AddressStanding> {
    const stored = (await this.booksOf(pool, [node])).get(node);
    const book = decideAddress(stored?.book ?? EMPTY_ADDRESS_BOOK, choice);
    if (!stored) throw addressChanged();
    const after = { ...stored, book };
    await this.#parts.database.commit([
      this.#save(after, stored),
      this.#parts.audit.row(caller, "payout.address_decided", node, {
        pool,
        choice,
        address: book.confirmed?.address ?? null,
      }),
    ]);
    return this.#standingOf({ pool, node, stored: after });
  }

  /** The pool a statement is said to. */
  #poolOf(bytes: Uint8Array): Pool {
    const { poolKey } = decodeAddress(bytes);
    const pool = this.#parts.registry.listPools().find((one) => sameBytes(one.publicKey, poolKey));
    if (!pool) throw statementToNobody();
    return pool;
  }

  /** A node that has nothing at a pool has no business there. */
  async #requireMember(node: Node, pool: PoolId): Promise<void> {
    if (node.pool === pool) return;
    const { owed } = await this.#parts.ledger.owed(pool, node.id);
    if (owed === 0n) throw statementToNobody();
  }

  #verified(
    bytes: Uint8Array,
    of: {
      readonly node: Node;
      readonly pool: Pool;
      readonly stored: StoredAddress | undefined;
    },
  ): AddressStatement {
    const { node, pool, stored } = of;
    const statement = verifyAddress(bytes, {
      nodeKey: node.publicKey,
      poolKey: pool.publicKey,
      previous: newestOf(stored),
      previousSlot: -1,
    });
    const { slot, slotSeconds } = this.#parts.poot.poolTime();
    if (stored && statement.slot <= stored.newestSlot) throw slotUsed(slotSeconds);
    if (statement.slot > slot + SLOTS_AHEAD_MAX) throw statementEarly(slot);
    return statement;
  }

  #requirePayable({ rail: id, address }: AddressStatement): void {
    const { rail } = this.#parts;
    if (id !== rail.id) throw railUnknown(id, rail.id);
    const problem = rail.problemWith(address);
    if (problem === undefined) return;
    throw new PoolError("invalid", "payout.address_malformed", problem);
  }

  /** A change is written only over what it was decided on. */
  #save(after: StoredAddress, before: StoredAddress | undefined): Write {
    const { sql } = this.#parts.database;
    const row = addressRow(after);
    if (!before) {
      const query = sql.insertInto("payout_address").values(row).compile();
      return { query, rows: 1, refusal: addressChanged() };
    }
    const query = sql
      .updateTable("payout_address")
      .set(row)
      .where("pool", "=", before.pool)
      .where("node", "=", before.node)
      .where("newest", "=", before.newest)
      .compile();
    return { query, rows: 1, refusal: addressChanged() };
  }

  #keep({ pool, node, newest, newestSlot }: StoredAddress, statement: Uint8Array): Write {
    const at = BigInt(this.#parts.poot.poolTime().nowMs);
    const row = { pool, node, slot: BigInt(newestSlot), hash: newest, statement, at };
    const query = this.#parts.database.sql.insertInto("payout_statement").values(row).compile();
    return { query, rows: 1, refusal: addressChanged() };
  }

  #now(stored: StoredAddress): StoredAddress {
    return { ...stored, book: addressBookAt(stored.book, this.#parts.poot.poolTime().nowMs) };
  }

  #standingOf(of: {
    readonly pool: PoolId;
    readonly node: NodeId;
    readonly stored: StoredAddress | undefined;
  }): AddressStanding {
    const { pool, node, stored } = of;
    const book = stored?.book ?? EMPTY_ADDRESS_BOOK;
    const hold = findAddressHold(book, this.#parts.poot.poolTime().nowMs);
    const states = {
      no_address: "none",
      address_changing: "changing",
      address_contested: "contested",
    } as const;
    const state = hold ? states[hold] : "confirmed";
    return { pool, node, book, state, newest: newestOf(stored) };
  }
}

function newestOf(stored: StoredAddress | undefined): Uint8Array {
  return (stored && fromHex(stored.newest)) ?? NO_STATEMENT;
}

const addressChanged = () =>
  new PoolError(
    "conflict",
    "payout.address_changed",
    "The payout address was changed in the meantime; read it again and repeat.",
  );

const statementToNobody = () =>
  new PoolError(
    "denied",
    "payout.statement_foreign",
    "The address statement names the key of a pool that this node has nothing to do with.",
  );

const slotUsed = (slotSeconds: number) =>
  new PoolError(
    "conflict",
    "payout.statement_slot_used",
    `Two address statements cannot name the same slot; wait ${slotSeconds} seconds and sign again.`,
    { retryAfterSeconds: slotSeconds },
  );

const statementEarly = (slot: number) =>
  new PoolError(
    "invalid",
    "payout.statement_early",
    `The address statement names a slot that has not come; the pool's slot is ${slot}.`,
    { slot },
  );

const railUnknown = (id: string, known: string) =>
  new PoolError(
    "invalid",
    "payout.rail_unknown",
    `This pool does not pay over the rail ${id}; it pays over ${known}.`,
  );
