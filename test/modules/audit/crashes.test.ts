import { describe, expect, test } from "bun:test";
import { databases } from "#test/support/database.ts";
import { seededRandom } from "#test/support/seeded-random.ts";
import type { Database } from "@/ports/database.ts";
import type { Files } from "@/ports/files.ts";
import { toBase64 } from "@/std/bytes.ts";
import { LogWorld, type RunningLog } from "./world.ts";

const PATIENCE_MS = 60_000;
const ROUNDS = 25;
/** More than the writes and signatures of one step. */
const POINTS = 14;

/** The end of the process, at the point in question. */
class Killed extends Error {}

/** Ends the process at the n-th point of what it does from now on. */
class Killing {
  left = Number.POSITIVE_INFINITY;

  point(): void {
    if (--this.left < 0) throw new Killed();
  }

  of({ files, database }: { files: Files; database: Database }) {
    const point = () => this.point();
    const write = (path: string, content: Uint8Array | string): void => {
      point();
      files.write(path, content);
      point();
    };
    const commit = async (writes: Parameters<Database["commit"]>[0]): Promise<void> => {
      point();
      await database.commit(writes);
      point();
    };
    const killed = new Proxy(database, {
      get(target, name) {
        if (name === "commit") return commit;
        const value = Reflect.get(target, name, target);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    return { files: { ...files, write }, database: killed };
  }
}

async function killable(act: () => Promise<void>): Promise<boolean> {
  try {
    await act();
    return false;
  } catch (error) {
    if (!(error instanceof Killed)) throw error;
    return true;
  }
}

/** Everything that was ever signed under the name of this log is the beginning of what is there now. */
async function expectNoFork(world: LogWorld, { log }: RunningLog): Promise<void> {
  const tree = await log.tree();
  expect(log.fault).toBeUndefined();
  for (const text of world.signed.texts) {
    const [origin, size, root] = text.split("\n");
    if (origin !== tree.origin) continue;
    expect(tree.size).toBeGreaterThanOrEqual(Number(size));
    expect([text, toBase64(tree.root(Number(size)))]).toEqual([text, root ?? ""]);
  }
}

describe.each(databases())("a pool that is killed while it signs, on $kind", ({ kind, place }) => {
  test(
    "at any point of it, never signs two logs that do not go together",
    async () => {
      await using world = new LogWorld(await place());
      const killing = new Killing();
      let deaths = 0;
      for (let point = 0; point < POINTS; point++) {
        const running = await world.start({}, (parts) => killing.of(parts));
        await running.act(2);
        if (kind === "postgres") await leaveGap(running);
        killing.left = point;
        world.clock.advance(60_000);
        if (await killable(() => running.log.step())) deaths++;
        killing.left = Number.POSITIVE_INFINITY;
        const again = await world.start({}, (parts) => killing.of(parts));
        world.clock.advance(60_000);
        await again.log.step();
        await expectNoFork(world, again);
      }
      expect(deaths).toBeGreaterThan(1);
    },
    PATIENCE_MS,
  );

  test(
    "nor when backups are restored in between",
    async () => {
      const seed = 20_261_128;
      const random = seededRandom(seed);
      await using world = new LogWorld(await place());
      const killing = new Killing();
      let restored = 0;
      let backup = 0n;
      for (let round = 0; round < ROUNDS; round++) {
        await beginAndBeKilled(world, killing, random);
        const { database } = await world.start();
        const last = await lastRow(database);
        if (round % 4 === 3 && last > backup) {
          await restore(database, backup);
          restored++;
        } else if (round % 4 === 1) backup = last;
        const again = await world.start({}, (parts) => killing.of(parts));
        world.clock.advance(60_000);
        await again.log.step();
        await expectNoFork(world, again);
      }
      expect([seed, restored > 2]).toEqual([seed, true]);
    },
    PATIENCE_MS,
  );
});

async function beginAndBeKilled(world: LogWorld, killing: Killing, random: () => number) {
  const running = await world.start({}, (parts) => killing.of(parts));
  killing.left = random() < 0.4 ? Math.floor(random() * 9) : Number.POSITIVE_INFINITY;
  await killable(async () => {
    await running.act(Math.floor(random() * 3));
    world.clock.advance(60_000);
    await running.log.step();
  });
  killing.left = Number.POSITIVE_INFINITY;
}

async function restore(database: Database, last: bigint): Promise<void> {
  const query = database.sql.deleteFrom("audit").where("id", ">", last);
  await database.commit([{ query: query.compile() }]);
  await forgetLogs(database);
}

async function lastRow(database: Database): Promise<bigint> {
  const row = await database.sql
    .selectFrom("audit")
    .select("id")
    .orderBy("id", "desc")
    .limit(1)
    .executeTakeFirst();
  return row?.id ?? 0n;
}

/** A log that began after the backup is not in it, nor are its places. */
async function forgetLogs(database: Database): Promise<void> {
  const subjects = database.sql
    .selectFrom("audit")
    .select("subject")
    .where("action", "=", "audit.restarted");
  const gone = database.sql.deleteFrom("audit_log").where("origin", "not in", subjects);
  const logs = database.sql.selectFrom("audit_log").select("epoch");
  const runs = database.sql
    .deleteFrom("audit_run")
    .where("epoch", "not in", logs)
    .where("epoch", ">", 1n);
  await database.commit([{ query: gone.compile() }, { query: runs.compile() }]);
}

/** A number that a transaction took and gave up. */
async function leaveGap({ database, audit }: RunningLog): Promise<void> {
  const row = audit.row({ type: "system", id: "system:test", roles: [] }, "node.left", "gap");
  await database.commit([row]);
  const last = await lastRow(database);
  await database.commit([
    { query: database.sql.deleteFrom("audit").where("id", "=", last).compile() },
    audit.row({ type: "system", id: "system:test", roles: [] }, "node.left", "after"),
  ]);
}
