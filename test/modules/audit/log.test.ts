import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { databases } from "#test/support/database.ts";
import { cosign, formatCheckpoint } from "@/core/audit/checkpoint.ts";
import { entryText } from "@/core/audit/entry.ts";
import { witnessKey } from "@/core/audit/log-names.ts";
import { RECALLED, RESTARTED } from "@/core/audit/restart.ts";
import { verifyLog } from "@/core/audit/verify.ts";
import { systemCaller } from "@/core/caller.ts";
import { rowsFrom } from "@/modules/audit/log-rows.ts";
import type { Database } from "@/ports/database.ts";
import { LogWorld, type RunningLog, seen, sign, verdictOf } from "./world.ts";

setDefaultTimeout(60_000);

const CALLER = systemCaller("test");

/** The lines of the log in the order of its leaves, up to the newest checkpoint. */
async function exported({ log, database }: RunningLog): Promise<string[]> {
  const tree = await log.tree();
  const lines: string[] = [];
  for await (const entry of rowsFrom(database, 1n)) {
    const leaf = tree.leafOf(entry.number);
    if (leaf !== undefined) lines[leaf] = entryText(entry);
  }
  return lines.slice(0, log.newest?.size);
}

async function faultsOf(running: RunningLog, older: readonly string[] = []): Promise<string[]> {
  const { log } = running;
  const checkpoint = log.newest ? formatCheckpoint(log.newest) : "";
  const trust = { publicKey: log.publicKey, witnesses: [], quorum: 0, older };
  const checks = verifyLog({ lines: await exported(running), checkpoint }, trust);
  return checks.flatMap(({ ok, sentence }) => (ok ? [] : [sentence]));
}

function change(database: Database, id: bigint, subject: string): Promise<void> {
  const query = database.sql.updateTable("audit").set({ subject }).where("id", "=", id);
  return database.commit([{ query: query.compile(), rows: 1 }]);
}

function remove(database: Database, from: bigint, to = from): Promise<void> {
  const query = database.sql.deleteFrom("audit").where("id", ">=", from).where("id", "<=", to);
  return database.commit([{ query: query.compile() }]);
}

describe.each(databases())("the audit log on $kind", ({ place }) => {
  async function world(): Promise<LogWorld> {
    return new LogWorld(await place());
  }

  test("signs what is new, once a minute, and nothing when nothing is", async () => {
    await using at = await world();
    const running = await at.start();
    await running.log.step();
    expect(running.log.newest).toBeUndefined();
    await running.act(3);
    expect((await sign(at, running)).size).toBe(3);
    await running.act();
    await running.log.step();
    expect(running.log.newest?.size).toBe(3);
    expect((await sign(at, running)).size).toBe(4);
    await sign(at, running);
    expect(at.signed.texts.length).toBe(2);
    expect(await faultsOf(running)).toEqual([]);
  });

  test("signs at once after many acts", async () => {
    await using at = await world();
    const running = await at.start({ checkpointEntries: 5 });
    await running.act();
    await sign(at, running);
    await running.act(4);
    await running.log.step();
    expect(running.log.newest?.size).toBe(1);
    await running.act();
    await running.log.step();
    expect(running.log.newest?.size).toBe(6);
  });

  test("goes on after a restart where it was, and waits for its witnesses first", async () => {
    await using at = await world();
    const first = await at.start();
    await first.act(5);
    const before = await sign(at, first);
    const second = await at.start({ holdSeconds: 90 });
    await second.act();
    await second.log.step();
    expect(second.log.newest).toEqual(before);
    expect((await sign(at, second)).size).toBe(5);
    expect((await sign(at, second)).size).toBe(6);
    expect(await faultsOf(second, [formatCheckpoint(before)])).toEqual([]);
  });

  test("gives rows that leave gaps, or come late, one place for good", async () => {
    await using at = await world();
    const running = await at.start();
    const { database } = running;
    await running.act(6);
    const two = await rowOf(database, 2n);
    const five = await rowOf(database, 5n);
    await remove(database, 2n);
    await remove(database, 5n);
    await sign(at, running);
    await putBack(database, five);
    await running.act();
    const middle = await sign(at, running);
    expect(middle.size).toBe(6);
    const again = await at.start();
    await putBack(again.database, two);
    const newest = await sign(at, again);
    expect(newest.size).toBe(7);
    expect(await faultsOf(again, [formatCheckpoint(middle)])).toEqual([]);
    const tree = await again.log.tree();
    const leaves = [1n, 2n, 3n, 4n, 5n, 6n, 7n].map((row) => tree.leafOf(row));
    expect(leaves).toEqual([0, 6, 1, 2, 4, 3, 5]);
  });

  test.each<[string, (database: Database) => Promise<void>]>([
    ["changed", (database) => change(database, 3n, "else")],
    ["taken out", (database) => remove(database, 3n)],
  ])("does not sign any more once a row was %s while it was away", async (_, tamper) => {
    await using at = await world();
    const first = await at.start();
    await first.act(6);
    await sign(at, first);
    await tamper(first.database);
    const second = await at.start();
    await second.act();
    await sign(at, second);
    expect(second.log.fault).toBeDefined();
    expect(second.log.newest?.size).toBe(6);
    expect(at.doubts.length).toBe(1);
    expect(at.lines.some((line) => line.includes("the audit log has a fault"))).toBe(true);
  });

  test("sees before the next signature that a row was changed under it, and every row by night", async () => {
    await using at = await world();
    const running = await at.start();
    await running.act(300);
    await sign(at, running);
    await change(running.database, 1n, "else");
    await running.act();
    await sign(at, running);
    expect(running.log.fault).toBeUndefined();
    await running.log.recheck();
    expect(running.log.fault).toContain("not what was signed");
    const other = await world();
    await using _ = other;
    const another = await other.start();
    await another.act(3);
    await sign(other, another);
    await change(another.database, 2n, "else");
    await another.act();
    await sign(other, another);
    expect(another.log.fault).toContain("row 2");
  });

  test("begins anew under another name when its end is gone, and says from where", async () => {
    await using at = await world();
    const first = await at.start();
    const id = at.node("one");
    await first.act(9);
    const lost = await sign(at, first);
    await remove(first.database, 7n, 9n);
    const second = await at.start();
    await second.log.step();
    const newest = await sign(at, second);
    expect(newest.origin).not.toBe(lost.origin);
    const [entry] = await exported(second);
    expect(entry).toContain(RESTARTED);
    expect(second.log.restartedAtMs).toBeDefined();
    expect(at.doubts).toEqual([expect.stringContaining("a backup was restored")]);
    expect(newest.size).toBe(7);
    expect(await faultsOf(second, [formatCheckpoint(lost)])).toEqual([]);
    second.witnesses.take(id, formatCheckpoint(lost));
    expect(verdictOf(second, id, seen(lost, second.log.publicKey))).toBe("accepted");
    const third = await at.start();
    await third.act();
    expect((await sign(at, third)).size).toBe(8);
    expect(await faultsOf(third, [formatCheckpoint(newest), formatCheckpoint(lost)])).toEqual([]);
  });

  test("learns from its witnesses that a whole folder was restored, and forks nothing", async () => {
    await using at = await world();
    const first = await at.start();
    await first.act(4);
    const old = await sign(at, first);
    const copy = at.files.readText("audit/checkpoint.txt") ?? "";
    await first.act(2);
    const middle = await sign(at, first);
    await first.act(3);
    const newest = await sign(at, first);
    await remove(first.database, 5n, 9n);
    at.files.write("audit/checkpoint.txt", copy);

    const second = await at.start({ holdSeconds: 90 });
    const [one, two] = [at.node("one"), at.node("two")];
    await second.log.step();
    await second.act(3, "after");
    second.witnesses.take(one, formatCheckpoint(middle));
    second.witnesses.take(two, formatCheckpoint(newest));
    await sign(at, second);
    expect(second.log.newest).toEqual(old);
    expect(verdictOf(second, one, seen(middle, second.log.publicKey))).toBe("nothing");
    const begun = await sign(at, second);
    expect(begun.origin).not.toBe(old.origin);
    expect(verdictOf(second, one, seen(middle, second.log.publicKey))).toBe("accepted");
    expect(verdictOf(second, two, seen(newest, second.log.publicKey))).toBe("accepted");
    expect(await faultsOf(second, [formatCheckpoint(newest)])).toEqual([]);
  });

  test("adds what a witness shows only after the log began anew", async () => {
    await using at = await world();
    const first = await at.start();
    await first.act(4);
    const named = await sign(at, first);
    const copy = at.files.readText("audit/checkpoint.txt") ?? "";
    await first.act(2);
    const later = await sign(at, first);
    await remove(first.database, 4n, 6n);
    at.files.write("audit/checkpoint.txt", copy);
    const second = await at.start();
    expect((await sign(at, second)).origin).not.toBe(named.origin);
    const id = at.node("late");
    second.witnesses.take(id, formatCheckpoint(later));
    expect(verdictOf(second, id, seen(later, second.log.publicKey))).toBe("nothing");
    await sign(at, second);
    expect((await exported(second)).at(-1)).toContain(RECALLED);
    expect(verdictOf(second, id, seen(later, second.log.publicKey))).toBe("accepted");
  });

  test("has a fault when a witness shows another log with our signature", async () => {
    await using at = await world();
    const first = await at.start();
    const copy = await first.act(2).then(() => sign(at, first));
    await change(first.database, 2n, "else");
    at.files.remove("audit/checkpoint.txt");
    const second = await at.start();
    await sign(at, second);
    expect(second.log.fault).toBeUndefined();
    second.witnesses.take(at.node("one"), formatCheckpoint(copy));
    expect(second.log.fault).toContain("another log of 2 entries");
    await second.log.restart(CALLER, "the disk was at fault");
    expect(second.log.fault).toBeUndefined();
    expect(await faultsOf(second)).toEqual([]);
  });

  test("is not begun anew without a reason", async () => {
    await using at = await world();
    const running = await at.start();
    await running.act();
    await sign(at, running);
    await expect(running.log.restart(CALLER, "I like it")).rejects.toMatchObject({
      code: "audit.whole",
    });
  });

  test("keeps the cosignatures of the newest checkpoint, so many and no more, over a restart", async () => {
    await using at = await world();
    const running = await at.start();
    await running.act();
    const newest = await sign(at, running);
    for (const name of ["one", "two", "three", "four"]) {
      const id = at.node(name);
      running.witnesses.take(id, "");
      expect(verdictOf(running, id, undefined)).toBe("accepted");
      expect(verdictOf(running, id, undefined)).toBe("nothing");
      const key = at.nodes.get(id);
      if (!key) throw new Error("the node has a key");
      const line = cosign(newest.note, witnessKey(id, key.publicKey), { key, atSeconds: 1 });
      const note = { ...newest.note, signatures: [...newest.note.signatures, line] };
      at.clock.advance(1_000);
      running.witnesses.take(id, formatCheckpoint({ ...newest, note }));
      expect(verdictOf(running, id, undefined)).toBe("nothing");
    }
    expect(running.log.cosigned?.note.signatures.length).toBe(4);
    running.log.keep();
    const again = await at.start();
    expect(again.log.cosigned?.note.signatures.length).toBe(4);
    await again.act();
    const next = await sign(at, again);
    expect(next.note.signatures.length).toBe(1);
    expect(again.log.cosigned?.size).toBe(1);
  });

  test("believes nothing a node says that our key did not sign", async () => {
    await using at = await world();
    const running = await at.start();
    await running.act(2);
    const newest = await sign(at, running);
    const id = at.node("liar");
    const text = formatCheckpoint(newest);
    for (const said of [text.replace("\n2\n", "\n9\n"), "nothing", "x".repeat(5_000)]) {
      at.clock.advance(1_000);
      running.witnesses.take(id, said);
      expect(verdictOf(running, id, undefined)).toBe("accepted");
    }
    running.witnesses.take(at.node("stranger"), text.replaceAll("/abc/", "/abd/"));
    expect(running.log.fault).toBeUndefined();
    expect((await sign(at, running)).origin).toBe(newest.origin);
  });
});

function rowOf(database: Database, id: bigint) {
  return database.sql
    .selectFrom("audit")
    .selectAll()
    .where("id", "=", id)
    .executeTakeFirstOrThrow();
}

/** What a transaction does that was given its number before others, and ends after them. */
async function putBack(database: Database, row: Awaited<ReturnType<typeof rowOf>>): Promise<void> {
  const insert = database.sql.insertInto("audit").values(row).compile();
  const sql = insert.sql.replace(") values", ") overriding system value values");
  const query = database.kind === "postgres" ? { ...insert, sql } : insert;
  await database.commit([{ query, rows: 1 }]);
}
