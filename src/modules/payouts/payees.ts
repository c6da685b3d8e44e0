import { sql } from "kysely";
import type { NodeId, PoolId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import {
  ADDRESS_WAIT_MS,
  EMPTY_ADDRESS_BOOK,
  findAddressHold,
} from "@/core/payout/address-book.ts";
import type { Candidate } from "@/core/payout/plan.ts";
import type { PayeeHold } from "@/core/payout/policy.ts";
import type { Addresses } from "./addresses.ts";
import type { PayoutParts } from "./parts.ts";

const NODES_PER_READ = 500;
const HOLDS: ReadonlySet<string> = new Set<PayeeHold>([
  "no_account",
  "no_trust",
  "not_authorized",
  "line_full",
  "memo_required",
  "is_source",
  "blacklisted",
  "returned",
  "operator",
]);

/** A node and what may be paid to it at a pool. */
export interface Creditor {
  readonly node: NodeId;
  readonly payable: bigint;
}

/** What earlier batches say of a payee. */
interface PayeeHistory {
  readonly hasOpenPayout: boolean;
  readonly hadFinalPayout: boolean;
  readonly paidAtMs: number | undefined;
}

const NO_HISTORY: PayeeHistory = {
  hasOpenPayout: false,
  hadFinalPayout: false,
  paidAtMs: undefined,
};

/** Everything that decides whether nodes of a pool are paid. */
export async function payeesOf(
  parts: PayoutParts,
  addresses: Addresses,
  of: { readonly pool: PoolId; readonly creditors: readonly Creditor[] },
): Promise<readonly Candidate[]> {
  const { pool, creditors } = of;
  const ids = creditors.map(({ node }) => node);
  const books = await addresses.booksOf(pool, ids);
  const histories = await historiesOf(parts, pool, ids);
  const holds = await holdsOf(parts, pool, ids);
  const { nowMs } = parts.poot.poolTime();
  return Promise.all(
    creditors.map(async ({ node: id, payable }): Promise<Candidate> => {
      const node = parts.registry.findNode(id);
      const book = books.get(id)?.book ?? EMPTY_ADDRESS_BOOK;
      const history = histories.get(id) ?? NO_HISTORY;
      const held = holds.get(id);
      const isHeld = held !== undefined && held.address === book.confirmed?.address;
      const addressHold = findAddressHold(book, nowMs);
      return {
        node: id,
        payable,
        holds: [...(isHeld ? [held.why] : []), ...(await keyHold(parts, id, nowMs))],
        ...(addressHold && { addressHold }),
        ...(book.confirmed && { address: book.confirmed }),
        hasOpenPayout: history.hasOpenPayout,
        hadFinalPayout: history.hadFinalPayout,
        hasLeft: !node || hasLeft(node, pool),
        dueSince: history.paidAtMs ?? node?.registeredAtMs ?? 0,
      };
    }),
  );
}

/** Whether a node is no member of the pool any more; its balance stays. */
export function hasLeft(node: Node, pool: PoolId): boolean {
  return node.pool !== pool || node.status === "left" || node.status === "removed";
}

/** A day after a new key: time to notice a thief. */
async function keyHold(
  { access }: PayoutParts,
  node: NodeId,
  nowMs: number,
): Promise<readonly PayeeHold[]> {
  const rotatedAtMs = await access.rotatedAtMs(node);
  const isNew = rotatedAtMs !== undefined && nowMs < rotatedAtMs + ADDRESS_WAIT_MS;
  return isNew ? ["key_changed"] : [];
}

async function historiesOf(
  { database }: PayoutParts,
  pool: PoolId,
  nodes: readonly NodeId[],
): Promise<ReadonlyMap<NodeId, PayeeHistory>> {
  const found = new Map<NodeId, PayeeHistory>();
  for (const part of partsOf(nodes)) {
    const rows = await database.sql
      .selectFrom("payout_item")
      .select((is) => [
        "node",
        is.fn.max("is_final").as("is_final"),
        is.fn.max("ended_at").as("ended_at"),
        sql<bigint>`max(case when state = 'pending' then 1 else 0 end)`.as("is_open"),
      ])
      .where("pool", "=", pool)
      .where("node", "in", part)
      .where("state", "!=", "voided")
      .groupBy("node")
      .execute();
    for (const { node, is_final, ended_at, is_open } of rows) {
      found.set(node as NodeId, {
        hasOpenPayout: is_open === 1n,
        hadFinalPayout: is_final === 1n,
        paidAtMs: ended_at === null ? undefined : Number(ended_at),
      });
    }
  }
  return found;
}

async function holdsOf(
  { database }: PayoutParts,
  pool: PoolId,
  nodes: readonly NodeId[],
): Promise<ReadonlyMap<NodeId, { readonly why: PayeeHold; readonly address: string }>> {
  const found = new Map<NodeId, { readonly why: PayeeHold; readonly address: string }>();
  for (const part of partsOf(nodes)) {
    const query = database.sql.selectFrom("payout_hold").selectAll().where("pool", "=", pool);
    for (const { node, why, address } of await query.where("node", "in", part).execute()) {
      found.set(node as NodeId, { why: holdOf(why), address });
    }
  }
  return found;
}

function holdOf(text: string): PayeeHold {
  return HOLDS.has(text) ? (text as PayeeHold) : "operator";
}

function partsOf(nodes: readonly NodeId[]): readonly (readonly NodeId[])[] {
  const parts: NodeId[][] = [];
  for (let at = 0; at < nodes.length; at += NODES_PER_READ) {
    parts.push(nodes.slice(at, at + NODES_PER_READ));
  }
  return parts;
}
