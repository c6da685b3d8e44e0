import { CompiledQuery } from "kysely";
import { systemClock } from "@/drivers/clock.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";

/** A program of its own: commits numbered rows and prints each number once it is acknowledged. */
const [path = "", kilobytes = "0"] = process.argv.slice(2);

const database = openSqlite({
  path,
  clock: systemClock(),
  onFailed: () => {
    process.stdout.write("failed\n");
    process.exit(70);
  },
});
await database.commit([
  { query: CompiledQuery.raw("CREATE TABLE IF NOT EXISTS note (id INTEGER, content BLOB) STRICT") },
]);
process.stdout.write("open\n");

const lanes = Array.from({ length: 4 }, async (_, lane) => {
  for (let at = 0; ; at++) {
    const id = at * 4 + lane;
    const insert = "INSERT INTO note VALUES ($1, zeroblob($2))";
    await database.commit([{ query: CompiledQuery.raw(insert, [id, Number(kilobytes) * 1024]) }]);
    process.stdout.write(`${id}\n`);
  }
});
await Promise.allSettled(lanes);
