import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { CompiledQuery } from "kysely";
import { brokenLine } from "#test/support/broken-line.ts";
import { TestClock } from "#test/support/clock.ts";
import { type DatabaseKind, databases } from "#test/support/database.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { postgresServer, postgresSkipped } from "#test/support/postgres.ts";
import { openPostgres } from "@/drivers/postgres/database.ts";
import type { Write } from "@/ports/database.ts";

function raw(sql: string, ...parameters: unknown[]): Write {
  return { query: CompiledQuery.raw(sql, parameters) };
}

const kind = databases().find((each) => each.kind === "postgres");
const NOTE = "CREATE TABLE note (id BIGINT PRIMARY KEY)";
const COUNT = CompiledQuery.raw("SELECT count(*) AS n FROM note");

describe.skipIf(postgresSkipped !== undefined || !kind)("PostgreSQL", () => {
  async function opened() {
    const one = await kind?.open();
    if (!one) throw new Error("PostgreSQL is left out");
    await one.database.commit([raw(NOTE)]);
    return one;
  }

  test("is reached again after its sessions were ended, and nothing is written twice", async () => {
    await using one = await opened();
    const { database } = one;
    for (let id = 0; id < 4; id++) {
      await database.read(
        CompiledQuery.raw(
          `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
           WHERE application_name = 'galaxy-pool' AND pid <> pg_backend_pid()`,
        ),
      );
      await database.commit([raw("INSERT INTO note VALUES ($1)", id)]);
      expect(await database.read(COUNT)).toEqual([{ n: BigInt(id + 1) }]);
    }
    expect(database.state()).toBe("writable");
  });

  test("that ends our session in the middle of a commit leaves the change once", async () => {
    await using one = await opened();
    const { database } = one;
    await database.commit([raw("CREATE TABLE fuse (lit BIGINT)"), raw("CREATE SEQUENCE burnt")]);
    // The first attempt ends its own session; a sequence keeps its count when that is rolled back.
    await database.commit([
      raw("INSERT INTO note VALUES (1)"),
      raw(`SELECT CASE WHEN nextval('burnt') = 1 THEN pg_terminate_backend(pg_backend_pid()) END`),
    ]);
    expect(await database.read(COUNT)).toEqual([{ n: 1n }]);
  });

  test("that dies at COMMIT is asked how the transaction ended", async () => {
    await using one = await opened();
    const { database } = one;
    // A deferred trigger runs inside COMMIT, where a broken connection leaves the end unknown.
    await database.commit([
      raw("CREATE SEQUENCE burnt"),
      raw(`CREATE FUNCTION burn() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
           IF nextval('burnt') = 1 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF;
           RETURN NULL; END $$`),
      raw(`CREATE CONSTRAINT TRIGGER burn AFTER INSERT ON note DEFERRABLE INITIALLY DEFERRED
           FOR EACH ROW EXECUTE FUNCTION burn()`),
    ]);
    await database.commit([raw("INSERT INTO note VALUES (1)")]);
    expect(await database.read(COUNT)).toEqual([{ n: 1n }]);
  });

  test("whose answer to COMMIT is lost does not get the change a second time", async () => {
    using folder = temporaryFolder();
    await using place = await (kind as DatabaseKind).place();
    const { url } = await postgresServer();
    const [path = ""] = new URL(url).searchParams.getAll("path");
    const socket = join(folder.path, ".s.PGSQL.5432");
    using line = brokenLine(socket, path);
    const database = await openPostgres({
      url: url.replace(path, socket),
      schema: place.schema,
      clock: new TestClock(),
      onFailed: () => {},
    });
    await database.commit([raw("CREATE TABLE note (id BIGINT)")]);
    for (let id = 1; id <= 3; id++) {
      line.cutAfter("COMMIT");
      await database.commit([raw("INSERT INTO note VALUES ($1)", id)]);
      expect(await database.read(COUNT)).toEqual([{ n: BigInt(id) }]);
      expect(line.cuts).toBe(id);
    }
    await database.close();
  });

  test("that restarts is found again by reads and by commits", async () => {
    await using one = await opened();
    const { control } = await postgresServer();
    await control("restart", "-m", "immediate");
    expect(await one.database.read(COUNT)).toEqual([{ n: 0n }]);
    await one.database.commit([raw("INSERT INTO note VALUES (1)")]);
    expect(await one.database.read(COUNT)).toEqual([{ n: 1n }]);
  }, 30_000);

  test("refuses all changes once another process has taken over", async () => {
    const place = await kind?.place();
    if (!place) throw new Error("PostgreSQL is left out");
    await using data = place;
    const faults: unknown[] = [];
    const first = await data.open(new TestClock(), (fault) => faults.push(fault));
    await first.read(
      CompiledQuery.raw(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'",
      ),
    );
    const second = await data.open();
    for (const code of ["data.locked", "database.read_only"]) {
      await expect(first.commit([raw("SELECT 1")])).rejects.toMatchObject({ code });
    }
    expect(first.state()).toBe("failed");
    expect(faults).toHaveLength(1);
    await first.close();
    await second.commit([raw("SELECT 1")]);
    await second.close();
  });

  test("that is not there is named without its password", async () => {
    const url = "postgres://galaxy:hush@localhost/postgres?path=/nowhere/.s.PGSQL.5432";
    const opening = openPostgres({ url, clock: new TestClock(), onFailed: () => {} });
    await expect(opening).rejects.toMatchObject({
      kind: "unavailable",
      code: "database.unreachable",
      message: expect.not.stringContaining("hush"),
    });
  });
});
