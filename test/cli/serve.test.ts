import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { until } from "#test/support/until.ts";

const PORTS = ["http.port=0", "http.secure_port=0", "server.address=127.0.0.1:0"];

function textIn(file: string): string {
  return readFileSync(file, "utf8");
}

describe("serve", () => {
  test("comes up and stops in good order where it cannot say where it listens", async () => {
    using home = temporaryFolder();
    const where = ["--config", join(home.path, "pool.yaml"), "--data", join(home.path, "pool")];
    await typed("init", ...where);
    mkdirSync(join(home.path, "pool/listening.json"));
    writeFileSync(join(home.path, "pool/listening.json/taken"), "");
    const log = join(home.path, "log");
    const set = [...PORTS, `logging.file=${log}`].flatMap((pair) => ["--set", pair]);
    const served = typed("serve", ...where, ...set);
    await until("the pool to be up", () => existsSync(log) && textIn(log).includes("is up"));
    process.emit("SIGTERM");
    expect((await served).code).toBe(0);
    expect(textIn(log)).toContain("the pool has stopped");
  });
});
