import { Database } from "bun:sqlite";
import { expect, test } from "bun:test";
import { temporaryFolder } from "#test/support/folder.ts";
import { PootWorld, SLOTS } from "#test/support/poot.ts";
import { openSqlite, type SqliteDatabase } from "@/drivers/sqlite/database.ts";

const CLOSES_PER_DAY = 288;
const BYTES_PER_DAY_MAX = 32e6;

test("100 nodes cost a card less than 32 MB a day, each byte counted twice", async () => {
  using folder = temporaryFolder();
  let opened: SqliteDatabase | undefined;
  await using world = await PootWorld.start({
    async database(clock) {
      opened = openSqlite({ path: `${folder.path}/pool.db`, clock, onFailed: () => {} });
      return opened;
    },
  });
  await world.join(await world.pool(), 100);
  await world.slots(2 * SLOTS);
  beginLogAnew(`${folder.path}/pool.db`);
  const before = opened?.stats();
  await world.slots(4 * SLOTS);
  const after = opened?.stats();
  expect((after?.commits ?? 0) - (before?.commits ?? 0)).toBe(4);
  const bytesPerClose = ((after?.walBytes ?? 0) - (before?.walBytes ?? 0)) / 4;
  expect(bytesPerClose).toBeGreaterThan(100 * 240);
  expect(bytesPerClose * 2 * CLOSES_PER_DAY).toBeLessThan(BYTES_PER_DAY_MAX);
});

/** A log that was copied into the file is written over from its start, and then no longer grows. */
function beginLogAnew(path: string): void {
  using other = new Database(path);
  other.run("PRAGMA wal_checkpoint(TRUNCATE)");
}
