import type { FeeTariff } from "@/core/earning.ts";
import type { NodeId, PoolId } from "@/core/ids.ts";
import {
  type AccountId,
  type AccountSums,
  availableOf,
  nodeAccount,
  openAccount,
} from "@/core/ledger/account.ts";
import { type Standing, standingOf } from "@/core/ledger/standing.ts";
import type { Database } from "@/ports/database.ts";
import { readAccounts } from "./transfers.ts";
import type { BookKey, Unbooked } from "./unbooked.ts";

/** A node at a pool. */
export interface NodeAt {
  readonly pool: PoolId;
  readonly node: NodeId;
}

/** What nodes have, in the order asked; `net` says what of a node is earned and not booked. */
export async function readStandings(
  database: Database,
  nodes: readonly NodeAt[],
  net: (key: BookKey) => bigint,
): Promise<readonly Standing[]> {
  const ids = nodes.flatMap(({ pool, node }) => [
    nodeAccount(pool, node, "owed"),
    nodeAccount(pool, node, "payable"),
  ]);
  const accounts = await readAccounts(database, ids);
  const account = (id: AccountId) => accounts.get(id) ?? openAccount(id);
  return nodes.map(({ pool, node }) => {
    const owed = account(nodeAccount(pool, node, "owed"));
    const payable = account(nodeAccount(pool, node, "payable"));
    return standingOf({ owed, payable }, net(`${pool}:${node}`));
  });
}

/** What all nodes have together, `pool` or everywhere. */
export async function readStandingOfAll(
  database: Database,
  unbooked: bigint,
  pool?: PoolId,
): Promise<Standing> {
  let query = database.sql
    .selectFrom("account")
    .select((is) => [
      "kind",
      is.fn.sum<bigint>("dp").as("dp"),
      is.fn.sum<bigint>("dq").as("dq"),
      is.fn.sum<bigint>("cp").as("cp"),
      is.fn.sum<bigint>("cq").as("cq"),
    ])
    .where("kind", "in", ["owed", "payable"]);
  if (pool) query = query.where("id", ">=", `node:${pool}:`).where("id", "<", `node:${pool};`);
  const sums = new Map<string, AccountSums>();
  for (const row of await query.groupBy("kind").execute()) sums.set(row.kind, row);
  const sumOf = (kind: string) => sums.get(kind) ?? { kind, dp: 0n, dq: 0n, cp: 0n, cq: 0n };
  return standingOf({ owed: sumOf("owed"), payable: sumOf("payable") }, unbooked);
}

/** A node and what may be paid to it. */
export interface Payable {
  readonly node: NodeId;
  readonly payable: bigint;
}

/** The nodes of a pool to which something may be paid, by id. */
export async function readPayable(database: Database, pool: PoolId): Promise<readonly Payable[]> {
  const rows = await database.sql
    .selectFrom("account")
    .selectAll()
    .where("id", ">=", `node:${pool}:`)
    .where("id", "<", `node:${pool};`)
    .where("kind", "=", "payable")
    .where((is) => is(is("dp", "+", is.ref("dq")), "<", is.ref("cp")))
    .orderBy("id")
    .execute();
  return rows.map((row) => {
    const [, , node] = row.id.split(":");
    return { node: node as NodeId, payable: availableOf(row) };
  });
}

/** What is earned and not booked of one node, without the pool's fee. */
export function unbookedNet(
  unbooked: Unbooked,
  key: BookKey,
  tariffs: readonly FeeTariff[],
): bigint {
  const { micro, fee } = unbooked.earnedOf(key, tariffs);
  return micro - fee;
}
