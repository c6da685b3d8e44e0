import { expect, test } from "bun:test";
import { join } from "node:path";
import { CompiledQuery } from "kysely";
import { temporaryFolder } from "#test/support/folder.ts";
import { systemClock } from "@/drivers/clock.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";

const CHILD = join(import.meta.dir, "../support/committing-child.ts");

/** The lines a child prints, until it ends. */
async function* linesOf(child: { readonly stdout: ReadableStream<Uint8Array> }) {
  const decoder = new TextDecoder();
  let held = "";
  for await (const chunk of child.stdout) {
    held += decoder.decode(chunk, { stream: true });
    const lines = held.split("\n");
    held = lines.pop() ?? "";
    yield* lines;
  }
}

function openHere(path: string) {
  return openSqlite({ path, clock: systemClock(), onFailed: () => {} });
}

test("a process killed among its commits loses none that it acknowledged", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "pool.db");
  const acknowledged = new Set<bigint>();
  for (let round = 0; round < 3; round++) {
    const child = Bun.spawn([process.execPath, CHILD, path], { stdout: "pipe", stderr: "inherit" });
    let printed = 0;
    for await (const line of linesOf(child)) {
      if (line === "open") expect(() => openHere(path)).toThrow(`in use by process ${child.pid}`);
      else acknowledged.add(BigInt(line));
      if (++printed === 50 + 37 * round) child.kill("SIGKILL");
    }
    expect(await child.exited).not.toBe(0);
  }
  const database = openHere(path);
  const rows = await database.read(CompiledQuery.raw("SELECT DISTINCT id FROM note"));
  const stored = new Set(rows.map((row) => (row as { id: bigint }).id));
  expect(acknowledged.size).toBeGreaterThan(100);
  expect([...acknowledged].filter((id) => !stored.has(id))).toEqual([]);
  await database.close();
}, 30_000);

test("a write error of the disk acknowledges nothing, and ends the process", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "pool.db");
  const limited = 'trap "" XFSZ; ulimit -f 2000; exec "$0" "$@"';
  const command = ["sh", "-c", limited, process.execPath, CHILD, path, "64"];
  const child = Bun.spawn(command, { stdout: "pipe", stderr: "inherit" });
  const lines = [];
  for await (const line of linesOf(child)) lines.push(line);
  expect(await child.exited).toBe(70);
  expect(lines.at(-1)).toBe("failed");
  const acknowledged = lines.slice(1, -1).map(BigInt);

  const database = openHere(path);
  const rows = await database.read(CompiledQuery.raw("SELECT id FROM note"));
  const stored = new Set(rows.map((row) => (row as { id: bigint }).id));
  expect(acknowledged.length).toBeGreaterThan(0);
  expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
  await database.close();
}, 30_000);
