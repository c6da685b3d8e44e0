import type { NodeId, PoolId } from "@/core/ids.ts";
import type { AddressBook, PayoutAddress } from "@/core/payout/address-book.ts";
import { assert } from "@/std/assert.ts";
import type { AddressRow } from "./table.ts";

/** The addresses of a node at a pool, and the newest statement about them. */
export interface StoredAddress {
  readonly pool: PoolId;
  readonly node: NodeId;
  readonly book: AddressBook;
  /** Hexadecimal: the next statement names it. */
  readonly newest: string;
  readonly newestSlot: number;
}

/** What a row says. */
export function storedAddressOf(row: AddressRow): StoredAddress {
  const { rail, address, statement } = row;
  const waiting = waitingOf(row);
  return {
    pool: row.pool as PoolId,
    node: row.node as NodeId,
    book: {
      confirmed: { rail, address, statement },
      contested: row.contested === 1n,
      ...(waiting && { waiting }),
      ...(row.effective_at !== null && { effectiveAt: Number(row.effective_at) }),
    },
    newest: row.newest,
    newestSlot: Number(row.newest_slot),
  };
}

function waitingOf(row: AddressRow): PayoutAddress | undefined {
  const { waiting_rail: rail, waiting_address: address, waiting_statement: statement } = row;
  if (rail === null || address === null || statement === null) return undefined;
  return { rail, address, statement };
}

/** The row that says it. */
export function addressRow({ pool, node, book, newest, newestSlot }: StoredAddress): AddressRow {
  const { confirmed, waiting, effectiveAt, contested } = book;
  assert(confirmed, "what is stored has an address");
  return {
    pool,
    node,
    ...confirmed,
    waiting_rail: waiting?.rail ?? null,
    waiting_address: waiting?.address ?? null,
    waiting_statement: waiting?.statement ?? null,
    effective_at: effectiveAt === undefined ? null : BigInt(effectiveAt),
    contested: contested ? 1n : 0n,
    newest,
    newest_slot: BigInt(newestSlot),
  };
}
