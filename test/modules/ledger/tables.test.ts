import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { CompiledQuery } from "kysely";
import { databases, type OpenDatabase } from "#test/support/database.ts";
import { seededRandom } from "#test/support/seeded-random.ts";
import { type NodeId, nodeIdOf, type PoolId, poolIdOf } from "@/core/ids.ts";
import { type AccountId, hotAccount, nodeAccount } from "@/core/ledger/account.ts";
import {
  accrue,
  convert,
  fund,
  mature,
  payoutPending,
  payoutPost,
  payoutVoid,
  refund,
  slash,
  unexplained,
} from "@/core/ledger/acts.ts";
import { checkLedger } from "@/core/ledger/check.ts";
import { accountsTouched } from "@/core/ledger/ledger.ts";
import { MemoryLedger } from "@/core/ledger/memory-ledger.ts";
import { AMOUNT_MAX, type Transfer } from "@/core/ledger/transfer.ts";
import { checkTables } from "@/modules/ledger/self-check.ts";
import { LEDGER_MIGRATIONS } from "@/modules/ledger/table.ts";
import {
  insertTransfers,
  readAccounts,
  readTransfersAfter,
  unknownOf,
} from "@/modules/ledger/transfers.ts";
import type { Database } from "@/ports/database.ts";
import { utf8 } from "@/std/bytes.ts";
import { isRefusal } from "@/std/errors.ts";

/** Each is a commit of its own, which takes a server longer. */
const OPERATIONS = { sqlite: 5_000, postgres: 1_500 };
const pool: PoolId = poolIdOf(utf8("pool"));
const nodes: readonly NodeId[] = Array.from({ length: 12 }, (_, n) => nodeIdOf(utf8(`node ${n}`)));
const [node = nodes[0] as NodeId] = nodes;

describe.each(databases())("the ledger's tables ($kind)", ({ open, kind }) => {
  const operations = OPERATIONS[kind];
  let opened: OpenDatabase;
  let database: Database;

  beforeAll(async () => {
    opened = await open();
    database = opened.database;
    await database.migrate(LEDGER_MIGRATIONS);
  });
  afterAll(() => opened[Symbol.asyncDispose]());

  test(`decide as core's ledger does, on ${operations} random operations`, async () => {
    const memory = new MemoryLedger();
    const random = seededRandom(7);
    const tally = { allowed: 0, refused: 0 };
    for (let step = 0; step < operations; step++) {
      const transfers = randomAct(random, step, memory);
      memory.open(...accountsTouched(transfers).map(({ id }) => id));
      const expected = outcomeOf(() => memory.book(transfers));
      const found = await book(database, transfers);
      expect({ step, transfers, outcome: found }).toEqual({ step, transfers, outcome: expected });
      tally[expected === "allowed" ? "allowed" : "refused"] += 1;
    }
    expect(tally.allowed).toBeGreaterThan(operations / 5);
    expect(tally.refused).toBeGreaterThan(operations / 10);
    const ids = memory.accounts.map(({ id }) => id);
    const touched = memory.accounts.filter(({ dp, dq, cp, cq }) => dp + dq + cp + cq > 0n);
    const stored = await readAccounts(database, ids);
    expect(touched.map(({ id }) => stored.get(id))).toEqual(touched);
    const log = await readTransfersAfter(database, 0n, 100_000);
    expect(log.map(({ seq: _, ...transfer }) => transfer)).toEqual([...memory.transfers]);
    expect(checkLedger([...stored.values()], log)).toEqual([]);
    expect(await checkTables(database)).toEqual([]);
  }, 60_000);

  test.each([
    ["changed", "UPDATE transfer SET amount = 1"],
    ["taken away", "DELETE FROM transfer"],
  ])("never let a transfer be %s", async (_, statement) => {
    await book(database, accrue({ pool, node, slot: 9e6, at: 1, ref: "x" }, 5n));
    const commit = database.commit([{ query: CompiledQuery.raw(statement) }]);
    await expect(commit).rejects.toThrow("ledger.immutable");
  });

  test("keep amounts beyond 2^53 exactly, and refuse what 64 bits do not hold", async () => {
    const large = 2n ** 62n + 1n;
    const rail = hotAccount("large");
    const facts = (fact: string, amount: bigint) =>
      unexplained({ rail: "large", slot: 1, at: 1, fact, amount });
    expect(await book(database, facts("a", large))).toBe("allowed");
    expect((await readAccounts(database, [rail])).get(rail)?.dp).toBe(large);
    expect(await book(database, facts("b", large))).not.toBe("allowed");
    expect(await book(database, facts("c", AMOUNT_MAX - large))).toBe("allowed");
    expect((await readAccounts(database, [rail])).get(rail)?.dp).toBe(AMOUNT_MAX);
  });

  test("a wrong balance and a lost transfer are seen by the self-check", async () => {
    const id = nodeAccount(pool, node, "payable");
    await book(
      database,
      refund({ rail: "wrong", slot: 2, at: 2, fact: "r", amount: 9n }, pool, node),
    );
    const change = (by: string) =>
      database.commit([
        {
          query: CompiledQuery.raw(`UPDATE account SET cp = cp ${by} WHERE id = '${id}'`),
          rows: 1,
        },
      ]);
    await change("+ 1");
    const found = (await checkTables(database)).map(({ invariant, subject }) => [
      invariant,
      subject,
    ]);
    expect(found).toContainEqual([1, "ledger 2"]);
    expect(found).toContainEqual([2, id]);
    await change("- 1");
    expect((await checkTables(database)).some(({ subject }) => subject === id)).toBe(false);
  });
});

/** Books a list as the ledger does: what is known already is passed over, if it is the same. */
async function book(database: Database, transfers: readonly Transfer[]): Promise<string> {
  try {
    const fresh = await unknownOf(database, transfers);
    await database.commit(insertTransfers(database, fresh));
    return "allowed";
  } catch (error) {
    return refusalIn(error);
  }
}

function outcomeOf(act: () => unknown): string {
  try {
    act();
    return "allowed";
  } catch (error) {
    return refusalIn(error);
  }
}

/** Our own codes; a table tells them in the sentence of the rule that was broken. */
function refusalIn(error: unknown): string {
  if (!isRefusal(error)) throw error;
  if (error.code.startsWith("ledger.")) return error.code;
  return /ledger\.\w+/.exec(error.message)?.[0] ?? error.message;
}

/** Acts of every sort, good and bad, with few ids, so that they meet. */
function randomAct(random: () => number, step: number, memory: MemoryLedger): readonly Transfer[] {
  const among = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const upTo = (max: number) => BigInt(1 + Math.floor(random() * max));
  const act = { pool, node: among(nodes), slot: Math.floor(random() * 3_000), at: step, ref: "r" };
  const fact = { rail: "stellar", slot: act.slot, at: step, fact: `f${step}`, amount: upTo(400) };
  const pending = memory.transfers.filter(({ kind }) => kind === "pending");
  const one = pending.length > 0 ? [among(pending)] : [];
  const acts: readonly (() => readonly Transfer[])[] = [
    () => accrue(act, upTo(500)),
    () => convert({ ...act, cu: upTo(300), micro: upTo(300), feeMicro: upTo(20) }),
    () => mature(act, upTo(200)),
    () => slash(act, upTo(50)),
    () => fund(fact),
    () => refund(fact, pool, act.node),
    () => {
      const items = [{ item: 1, pool, node: act.node, amount: upTo(200) }];
      return payoutPending({ batch: `b${step}`, slot: act.slot, rail: "stellar", at: step, items });
    },
    () => payoutPost(one, "proof", step),
    () => payoutVoid(one, "proof", step),
    () =>
      one.map((transfer) => ({ ...payoutPost([transfer], "p", step)[0], amount: 7n }) as Transfer),
    () => accrue(act, 1n).map((transfer) => ({ ...transfer, to: foreign(transfer.to) })),
  ];
  return among(acts)();
}

/** An account of the other ledger. */
function foreign(id: AccountId): AccountId {
  return id.replace(/:cu$/, ":owed") as AccountId;
}
