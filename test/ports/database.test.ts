import { describe, expect, test } from "bun:test";
import { CompiledQuery, sql } from "kysely";
import { databases } from "#test/support/database.ts";
import type { Database, Migration, Write } from "@/ports/database.ts";
import { PoolError } from "@/std/errors.ts";

declare module "@/ports/database.ts" {
  interface Tables {
    thing: { id: bigint; name: string; count: bigint; content: Uint8Array | null };
    part: { id: bigint; thing: bigint };
  }
}

const MIGRATIONS: readonly Migration[] = [
  {
    name: "contract/0001-things",
    statements: [
      `CREATE TABLE thing (id {int} PRIMARY KEY, name TEXT NOT NULL, count {int} NOT NULL
       CHECK (count >= 0), content {blob}) {strict}`,
      "CREATE UNIQUE INDEX thing_name ON thing (name)",
      "CREATE TABLE part (id {int} PRIMARY KEY, thing {int} NOT NULL REFERENCES thing) {strict}",
    ],
  },
  {
    name: "contract/0002-no-thirteen",
    sqlite: [
      `CREATE TRIGGER no_thirteen BEFORE INSERT ON thing WHEN NEW.id = 13
       BEGIN SELECT RAISE(ABORT, 'thirteen is out'); END`,
    ],
    postgres: [
      `CREATE FUNCTION no_thirteen() RETURNS trigger LANGUAGE plpgsql AS
       $$ BEGIN RAISE EXCEPTION 'thirteen is out'; END $$`,
      `CREATE TRIGGER no_thirteen BEFORE INSERT ON thing FOR EACH ROW WHEN (NEW.id = 13)
       EXECUTE FUNCTION no_thirteen()`,
    ],
  },
];

type Thing = { id: bigint; name: string; count: bigint; content: Uint8Array | null };

function thing(id: number, changes: Partial<Thing> = {}): Thing {
  return { id: BigInt(id), name: `thing ${id}`, count: 0n, content: null, ...changes };
}

function insert(database: Database, row: Thing, refusal?: PoolError): Write {
  const query = database.sql.insertInto("thing").values(row).compile();
  return refusal ? { query, rows: 1, refusal } : { query, rows: 1 };
}

function recount(database: Database, id: number, from: number, to: number): Write {
  const query = database.sql
    .updateTable("thing")
    .set({ count: BigInt(to) })
    .where("id", "=", BigInt(id))
    .where("count", "=", BigInt(from));
  return { query: query.compile(), rows: 1 };
}

async function names(database: Database): Promise<string[]> {
  const rows = await database.sql.selectFrom("thing").select("name").orderBy("id").execute();
  return rows.map((row) => row.name);
}

const TAKEN = new PoolError("exists", "thing.exists", "There is such a thing.");

describe.each(databases())("the database port on $kind", ({ kind, open, place }) => {
  async function prepared() {
    const opened = await open();
    await opened.database.migrate(MIGRATIONS);
    return opened;
  }

  test("says which it is, that it takes writes, and how large it is", async () => {
    await using opened = await prepared();
    expect(opened.database.kind).toBe(kind);
    expect(opened.database.state()).toBe("writable");
    if (kind === "postgres") expect(await opened.database.sizeBytes()).toBeGreaterThan(8192);
  });

  test("gives back what it was given, to the last bit", async () => {
    await using opened = await prepared();
    const rows = [
      thing(1, { count: 9_007_199_254_740_993n, content: new Uint8Array([0, 1, 255]) }),
      thing(2, { count: 2n ** 63n - 1n, name: "näme 🚀 ' \" \\ %" }),
      thing(3, { content: new Uint8Array(0), name: "" }),
    ];
    await opened.database.commit(rows.map((row) => insert(opened.database, row)));
    const read = await opened.database.sql.selectFrom("thing").selectAll().orderBy("id").execute();
    expect(read).toEqual(rows);
    expect(read[0]?.content?.constructor).toBe(Uint8Array);
  });

  test("reads every integer as bigint, whatever expression it comes from", async () => {
    await using opened = await prepared();
    const { database } = opened;
    await database.commit([1, 2].map((id) => insert(database, thing(id, { count: 2n ** 53n }))));
    const row = await database.sql
      .selectFrom("thing")
      .select((e) => [
        e.fn.countAll().as("rows"),
        e.fn.sum("count").as("sum"),
        e.fn.max("id").as("max"),
        sql`1`.as("one"),
        sql`count(*) > 1`.as("many"),
        sql`max(length(name))`.as("length"),
        sql`cast(null as bigint)`.as("nothing"),
      ])
      .executeTakeFirst();
    expect<unknown>(row).toEqual({
      rows: 2n,
      sum: 2n ** 54n,
      max: 2n,
      one: 1n,
      many: 1n,
      length: 7n,
      nothing: null,
    });
  });

  test("runs a read that was compiled once with other parameters each time", async () => {
    await using opened = await prepared();
    const { database } = opened;
    await database.commit([1, 2, 3].map((id) => insert(database, thing(id))));
    const compiled = database.sql
      .selectFrom("thing")
      .select("name")
      .where("id", ">", 0n)
      .limit(1)
      .compile();
    for (const id of [0, 1, 2]) {
      const rows = await database.read({ ...compiled, parameters: [id, 1] });
      expect(rows).toEqual([{ name: `thing ${id + 1}` }]);
    }
  });

  test("takes booleans and numbers as integers", async () => {
    await using opened = await prepared();
    const query = CompiledQuery.raw("INSERT INTO thing VALUES ($1, $2, $3, $4)", [
      5_000_000_000,
      "x",
      true,
      null,
    ]);
    await opened.database.commit([{ query, rows: 1 }]);
    const read = await opened.database.sql.selectFrom("thing").selectAll().execute();
    expect(read).toEqual([{ id: 5_000_000_000n, name: "x", count: 1n, content: null }]);
  });

  test("commits all of a list or nothing", async () => {
    await using opened = await prepared();
    const { database } = opened;
    await expect(
      database.commit([
        insert(database, thing(1)),
        insert(database, thing(2)),
        insert(database, thing(1)),
      ]),
    ).rejects.toBeInstanceOf(PoolError);
    expect(await names(database)).toEqual([]);
    await database.commit([insert(database, thing(1)), insert(database, thing(2))]);
    expect(await names(database)).toEqual(["thing 1", "thing 2"]);
  });

  test("shows a commit to reads as soon as it is acknowledged", async () => {
    await using opened = await prepared();
    const { database } = opened;
    for (let id = 1; id <= 12; id++) {
      await database.commit([insert(database, thing(id))]);
      expect(await names(database)).toHaveLength(id);
    }
  });

  test("lets one of two rivals win and tells the other", async () => {
    await using opened = await prepared();
    const { database } = opened;
    await database.commit([insert(database, thing(1))]);
    const rivals = await Promise.allSettled(
      [1, 2, 3, 4].map((count) => database.commit([recount(database, 1, 0, count)])),
    );
    expect(rivals.filter((rival) => rival.status === "fulfilled")).toHaveLength(1);
    for (const rival of rivals) {
      if (rival.status === "fulfilled") continue;
      expect(rival.reason).toMatchObject({ kind: "conflict", code: "database.conflict" });
    }
  });

  test("adds up concurrent changes without losing one", async () => {
    await using opened = await prepared();
    const { database } = opened;
    await database.commit([insert(database, thing(1))]);
    const add = database.sql
      .updateTable("thing")
      .set((e) => ({ count: e("count", "+", 1n) }))
      .where("id", "=", 1n)
      .compile();
    await Promise.all(Array.from({ length: 50 }, () => database.commit([{ query: add, rows: 1 }])));
    const row = await database.sql.selectFrom("thing").select("count").executeTakeFirst();
    expect(row).toEqual({ count: 50n });
  });

  test("counts the rows a statement touched, not those a clause returned or skipped", async () => {
    await using opened = await prepared();
    const { database } = opened;
    await database.commit([1, 2, 3].map((id) => insert(database, thing(id))));
    const update = database.sql.updateTable("thing").set({ count: 1n }).where("id", "<=", 2n);
    const again = database.sql
      .insertInto("thing")
      .values(thing(1))
      .onConflict((c) => c.doNothing());
    await database.commit([
      { query: update.compile(), rows: 2 },
      { query: update.returning("id").compile(), rows: 2 },
      { query: again.compile(), rows: 0 },
      { query: database.sql.selectFrom("thing").select("id").compile(), rows: 3 },
      { query: database.sql.deleteFrom("thing").where("id", "=", 9n).compile() },
    ]);
    await expect(database.commit([{ query: update.compile(), rows: 3 }])).rejects.toMatchObject({
      code: "database.conflict",
    });
  });

  const refused: readonly (readonly [string, string, (database: Database) => Write])[] = [
    ["a key that is taken", "database.conflict", (d) => insert(d, thing(1))],
    [
      "a unique value that is taken",
      "database.conflict",
      (d) => insert(d, thing(2, { name: "thing 1" })),
    ],
    [
      "a taken key, with the write's own refusal",
      "thing.exists",
      (d) => insert(d, thing(1), TAKEN),
    ],
    ["another number of rows", "database.conflict", (d) => recount(d, 1, 5, 6)],
    [
      "another number of rows, with its own refusal",
      "thing.exists",
      (d) => ({ ...recount(d, 1, 5, 6), refusal: TAKEN }),
    ],
    [
      "a CHECK that does not hold",
      "database.check",
      (d) => insert(d, thing(2, { count: -1n }), TAKEN),
    ],
    [
      "a missing value",
      "database.check",
      () => ({ query: CompiledQuery.raw("INSERT INTO thing (id, count) VALUES (2, 0)") }),
    ],
    [
      "a key that refers to nothing",
      "database.check",
      (d) => ({
        query: d.sql.insertInto("part").values({ id: 1n, thing: 9n }).compile(),
        refusal: TAKEN,
      }),
    ],
    ["a trigger that says no", "database.check", (d) => insert(d, thing(13))],
    [
      "an integer of more than 64 bits",
      "database.check",
      (d) => insert(d, thing(2, { count: 2n ** 63n })),
    ],
    [
      "a sum of more than 64 bits",
      "database.check",
      (d) => ({
        query: d.sql
          .updateTable("thing")
          .set((e) => ({ count: e("count", "+", 2n ** 63n - 1n) }))
          .compile(),
      }),
    ],
    ["text with the character NUL", "database.text", (d) => insert(d, thing(2, { name: "a\0b" }))],
  ];

  test.each(refused)("refuses %s", async (_, code, write) => {
    await using opened = await prepared();
    const { database } = opened;
    await database.commit([insert(database, thing(1, { count: 1n }))]);
    const commit = database.commit([insert(database, thing(7)), write(database)]);
    await expect(commit).rejects.toMatchObject({ name: "PoolError", code });
    expect(await names(database)).toEqual(["thing 1"]);
    await database.commit([insert(database, thing(8))]);
    expect(await names(database)).toEqual(["thing 1", "thing 8"]);
  });

  test("does not disguise a mistake of ours as a refusal", async () => {
    await using opened = await prepared();
    const { database } = opened;
    const mistake: Write = { query: CompiledQuery.raw("INSERT INTO nowhere VALUES ($1)", [1]) };
    const ends = await Promise.allSettled([
      database.commit([mistake]),
      database.commit([insert(database, thing(1))]),
    ]);
    expect(ends.map((end) => end.status)).toEqual(["rejected", "fulfilled"]);
    expect(ends[0]).not.toMatchObject({ reason: { name: "PoolError" } });
  });

  test("executes reads only; writes go through a commit", async () => {
    await using opened = await prepared();
    const write = opened.database.sql.insertInto("thing").values(thing(1));
    await expect(write.execute()).rejects.toThrow("must go through commit");
    expect(await names(opened.database)).toEqual([]);
  });

  test("keeps what was acknowledged, and knows its schema again", async () => {
    await using data = await place();
    const first = await data.open();
    await first.migrate(MIGRATIONS);
    await first.commit([insert(first, thing(1))]);
    await first.close();
    await first.close();
    const second = await data.open();
    await second.migrate(MIGRATIONS);
    const known = MIGRATIONS.map((migration) => migration.name);
    expect(await second.schema()).toEqual({ applied: known, known });
    expect(await names(second)).toEqual(["thing 1"]);
    await second.close();
  });

  test("is refused to a second one while the first is open", async () => {
    await using data = await place();
    const first = await data.open();
    await expect(data.open()).rejects.toMatchObject({ code: "data.locked" });
    await first.migrate(MIGRATIONS);
    await first.close();
    await (await data.open()).close();
  });

  test("takes a step of a schema wholly or not at all", async () => {
    await using data = await place();
    const database = await data.open();
    const half: Migration = {
      name: "half/0001",
      statements: ["CREATE TABLE half (id {int}) {strict}", "CREATE TABLE nonsense ("],
    };
    await expect(database.migrate([half])).rejects.toThrow("migration half/0001 failed");
    expect((await database.schema()).applied).toEqual([]);
    await database.migrate([{ ...half, statements: ["CREATE TABLE half (id {int}) {strict}"] }]);
    expect((await database.schema()).applied).toEqual(["half/0001"]);
    await database.close();
  });

  test("refuses data of a newer program, but not that of a module which is gone", async () => {
    await using data = await place();
    const plugin: Migration = { name: "plugin/0001", statements: [] };
    const newer = await data.open();
    await newer.migrate([plugin]);
    await newer.migrate(MIGRATIONS);
    await newer.close();
    const older = await data.open();
    await expect(older.migrate(MIGRATIONS.slice(0, 1))).rejects.toMatchObject({
      kind: "precondition",
      code: "database.newer",
      message: expect.stringContaining("contract/0002-no-thirteen"),
    });
    await older.close();
    const same = await data.open();
    await same.migrate(MIGRATIONS);
    await same.close();
  });
});
