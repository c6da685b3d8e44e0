import { describe, expect, test } from "bun:test";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { CompiledQuery } from "kysely";
import { TestClock } from "#test/support/clock.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { openSqlite, type SqliteDatabase } from "@/drivers/sqlite/database.ts";
import type { DatabaseState, Write } from "@/ports/database.ts";

const NOTE = "CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT, content BLOB) STRICT";

function open(path: string, clock = new TestClock()) {
  const states: DatabaseState[] = [];
  const faults: unknown[] = [];
  const database = openSqlite({
    path,
    clock,
    onFailed: (fault) => faults.push(fault),
    onState: (state) => states.push(state),
  });
  return { database, clock, states, faults };
}

function raw(sql: string, ...parameters: unknown[]): Write {
  return { query: CompiledQuery.raw(sql, parameters) };
}

function insert(id: number, text = "x"): Write {
  return raw("INSERT INTO note (id, text) VALUES ($1, $2)", id, text);
}

async function count(database: SqliteDatabase): Promise<bigint | undefined> {
  const rows = await database.read<{ n: bigint }>(
    CompiledQuery.raw("SELECT count(*) AS n FROM note") as CompiledQuery<{ n: bigint }>,
  );
  return rows[0]?.n;
}

describe("a group of commits", () => {
  test("shares one fsync", async () => {
    using folder = temporaryFolder();
    const { database } = open(join(folder.path, "pool.db"));
    await database.commit([raw(NOTE)]);
    const before = database.stats();
    await Promise.all(Array.from({ length: 200 }, (_, id) => database.commit([insert(id)])));
    expect(database.stats().commits - before.commits).toBe(200);
    expect(database.stats().transactions - before.transactions).toBe(1);
    await database.close();
  });

  test("is not hurt by a refused member, in whatever place", async () => {
    const { database } = open(":memory:");
    await database.commit([raw(NOTE)]);
    const group = [1, 2, 2, 3, 1, 4].map((id, at) =>
      database.commit([insert(at + 10), insert(id)]),
    );
    const ends = (await Promise.allSettled(group)).map((end) => end.status);
    expect(ends).toEqual([
      "fulfilled",
      "fulfilled",
      "rejected",
      "fulfilled",
      "rejected",
      "fulfilled",
    ]);
    expect(await count(database)).toBe(8n);
    expect(database.stats().transactions).toBe(2);
    await database.close();
  });

  test("is taken apart when a trigger ends the transaction it shares", async () => {
    const { database } = open(":memory:");
    await database.commit([
      raw(NOTE),
      raw(`CREATE TRIGGER no_five BEFORE INSERT ON note WHEN NEW.id = 5
           BEGIN SELECT RAISE(ROLLBACK, 'five is out'); END`),
    ]);
    const group = [4, 5, 6].map((id) => database.commit([insert(id)]));
    const ends = (await Promise.allSettled(group)).map((end) => end.status);
    expect(ends).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(await count(database)).toBe(2n);
    await database.close();
  });

  test("waits for the keys that are checked at its end, and blames the right member", async () => {
    const { database } = open(":memory:");
    await database.commit([
      raw(NOTE),
      raw(`CREATE TABLE reply (id INTEGER PRIMARY KEY,
           note INTEGER REFERENCES note DEFERRABLE INITIALLY DEFERRED) STRICT`),
    ]);
    const reply = (id: number) => raw("INSERT INTO reply VALUES ($1, $1)", id);
    const good = database.commit([reply(1), insert(1)]);
    const bad = database.commit([reply(2)]);
    await expect(bad).rejects.toMatchObject({ code: "database.check" });
    await good;
    expect(await count(database)).toBe(1n);
    await database.close();
  });

  test("is written before the database closes", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "pool.db");
    const first = open(path).database;
    await first.commit([raw(NOTE)]);
    const late = first.commit([insert(1)]);
    await first.close();
    await late;
    await expect(first.commit([insert(2)])).rejects.toMatchObject({ kind: "unavailable" });
    const second = open(path).database;
    expect(await count(second)).toBe(1n);
    await second.close();
  });
});

describe("a full disk", () => {
  test("refuses the whole group, then all, and takes writes again once there is room", async () => {
    using folder = temporaryFolder();
    const { database, clock, states } = open(join(folder.path, "pool.db"));
    await database.commit([raw(NOTE)]);
    await database.commit([insert(1)]);
    await database.commit([raw("PRAGMA max_page_count = 8")]);
    const small = database.commit([insert(2)]);
    const big = database.commit([raw("INSERT INTO note VALUES (3, 'b', zeroblob($1))", 100_000)]);
    const refusal = {
      kind: "unavailable",
      code: "database.read_only",
      details: { retryAfterSeconds: 5 },
    };
    for (const end of await Promise.allSettled([small, big])) {
      expect(end).toMatchObject({ status: "rejected", reason: refusal });
    }
    await expect(database.commit([insert(4)])).rejects.toMatchObject(refusal);
    expect(database.state()).toBe("full");
    expect(await count(database)).toBe(1n);

    clock.advance(5_000);
    expect(database.state()).toBe("full");
    await database.read(CompiledQuery.raw("PRAGMA max_page_count = 100000"));
    clock.advance(5_000);
    expect(database.state()).toBe("writable");
    expect(states).toEqual(["full", "writable"]);
    await database.commit([insert(4)]);
    expect(await count(database)).toBe(2n);
    expect(clock.waiting).toBe(0);
    await database.close();
  });
});

describe("the database file", () => {
  test("belongs to its owner alone", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "data", "pool.db");
    const { database } = open(path);
    await database.commit([raw(NOTE)]);
    for (const file of [path, `${path}-wal`, join(folder.path, "data", "lock")]) {
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
    expect(statSync(join(folder.path, "data")).mode & 0o777).toBe(0o700);
    expect(await database.sizeBytes()).toBeGreaterThan(0);
    await database.close();
  });

  test("is refused while another handle has it, and free after that closed", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "pool.db");
    const { database } = open(path);
    for (let attempt = 0; attempt < 2; attempt++) {
      expect(() => open(path)).toThrow(`in use by process ${process.pid}`);
    }
    await database.close();
    await open(path).database.close();
  });

  test.each([
    ["is not a database", Buffer.from("this is certainly no database at all".repeat(100))],
    ["has a page of garbage", "page"],
    ["lost its second half", "half"],
  ])("is refused by name when it %s", async (_, damage) => {
    using folder = temporaryFolder();
    const path = join(folder.path, "pool.db");
    const { database } = open(path);
    await database.commit([raw(NOTE)]);
    await database.commit(Array.from({ length: 500 }, (_row, id) => insert(id, "y".repeat(100))));
    await database.close();
    const bytes = readFileSync(path);
    if (damage === "page") bytes.fill(0xa5, 8192, 12288);
    const damaged = damage === "half" ? bytes.subarray(0, bytes.length / 2) : bytes;
    writeFileSync(path, typeof damage === "string" ? damaged : damage);
    expect(() => open(path)).toThrow(`The database ${path} cannot be used`);
    expect(() => open(path)).toThrow(
      expect.objectContaining({ code: "data.damaged", details: { path } }),
    );
  });

  test("keeps a bounded number of statements prepared", async () => {
    const { database } = open(":memory:");
    for (let at = 0; at < 600; at++) await database.read(CompiledQuery.raw(`SELECT ${at}`));
    expect(database.stats().statements).toBe(256);
    await database.close();
  });
});
