import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { VERSION } from "@/std/version.ts";

const ROOT = join(import.meta.dir, "../..");
const PROTO = join(ROOT, "src/proto");

describe("what is generated or said twice", () => {
  test("the committed code is what the .proto files make now", () => {
    using folder = temporaryFolder();
    const made = Bun.spawnSync(["sh", "scripts/protos.sh", folder.path], { cwd: ROOT });
    expect(made.stderr.toString()).toBe("");
    const names = readdirSync(PROTO).filter((name) => name.endsWith("_pb.ts"));
    expect(readdirSync(folder.path).sort()).toEqual(names.sort());
    for (const name of names) {
      expect(readFileSync(join(folder.path, name), "utf8")).toBe(
        readFileSync(join(PROTO, name), "utf8"),
      );
    }
  });

  test("the program's version is that of its package", () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as {
      version: string;
    };
    expect(VERSION).toBe(version);
  });
});
