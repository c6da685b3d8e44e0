import { describe, expect, test } from "bun:test";
import {
  chmodSync,
  chownSync,
  lchownSync,
  lstatSync,
  readdirSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { refusalCode } from "#test/support/refusal-code.ts";
import { systemClock } from "@/drivers/clock.ts";
import { openFiles } from "@/drivers/files.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";

describe("the data folder", () => {
  test("keeps what is written, for its owner alone, and leaves nothing beside it", () => {
    using folder = temporaryFolder();
    const files = openFiles(join(folder.path, "a", "b"));
    files.write("keys/pool.key", new Uint8Array([1, 2, 255]));
    files.write("keys/pool.key", new Uint8Array([3]));
    files.write("name", "näme");
    expect(files.read("keys/pool.key")).toEqual(new Uint8Array([3]));
    expect(files.readText("name")).toBe("näme");
    expect(statSync(join(files.root, "keys/pool.key")).mode & 0o777).toBe(0o600);
    for (const made of [`${folder.path}/a`, files.root, join(files.root, "keys")]) {
      expect(statSync(made).mode & 0o777).toBe(0o700);
    }
    expect(readdirSync(join(files.root, "keys"))).toEqual(["pool.key"]);
    expect(files.freeBytes()).toBeGreaterThan(0);
  });

  test("lists in order, and knows what is not there", () => {
    using folder = temporaryFolder();
    const files = openFiles(folder.path);
    for (const name of ["b", "a", "c"]) files.write(`list/${name}`, "");
    expect(files.list("list")).toEqual(["a", "b", "c"]);
    files.remove("list/b");
    files.remove("list/never");
    expect(files.list("list")).toEqual(["a", "c"]);
    files.remove("list");
    expect(files.list("list")).toEqual([]);
    expect(files.read("list/a")).toBeUndefined();
    expect(files.readText("nothing")).toBeUndefined();
  });

  test("leaves the old content when the new cannot be written", () => {
    using folder = temporaryFolder();
    const files = openFiles(folder.path);
    files.write("kept/inside", "old");
    expect(() => files.write("kept", "new")).toThrow();
    expect(files.readText("kept/inside")).toBe("old");
    expect(readdirSync(folder.path)).toEqual(["kept"]);
  });

  test("refuses what this user may not write", () => {
    using folder = temporaryFolder();
    const files = openFiles(folder.path);
    files.write("taken", "");
    expect(refusalCode(() => files.write("taken/inside", "new"))).toBe("data.denied");
    expect(refusalCode(() => openFiles(join(folder.path, "taken")))).toBe("data.denied");
  });

  test.each(["../outside", "/etc/passwd", "a/../../b"])("is never left by %s", (path) => {
    using folder = temporaryFolder();
    const files = openFiles(folder.path);
    expect(() => files.read(path)).toThrow("leaves the data folder");
    expect(() => files.write(path, "")).toThrow("leaves the data folder");
    expect(() => files.remove(path)).toThrow("leaves the data folder");
  });

  test("cannot be removed as a whole", () => {
    using folder = temporaryFolder();
    expect(() => openFiles(folder.path).remove(".")).toThrow("is the data folder");
  });

  describe.skipIf(process.getuid?.() !== 0)("of somebody else, in which root works", () => {
    const OWNER = { uid: 61_234, gid: 61_235 };

    function theirs() {
      const folder = temporaryFolder();
      chownSync(folder.path, OWNER.uid, OWNER.gid);
      return folder;
    }

    function ownerOf(path: string) {
      const { uid, gid } = lstatSync(path);
      return { uid, gid };
    }

    test("keeps its owner in all that is made", () => {
      using folder = theirs();
      const files = openFiles(folder.path);
      files.write("run.json", "1");
      files.write("run.json", "2");
      files.write("keys/pools/pool.seed", "s");
      for (const made of ["run.json", "keys", "keys/pools", "keys/pools/pool.seed"])
        expect(ownerOf(join(folder.path, made))).toEqual(OWNER);
    });

    test("keeps its owner in what a lock and a database make", async () => {
      using folder = theirs();
      const path = join(folder.path, "db/pool.db");
      const database = openSqlite({ path, clock: systemClock(), onFailed: () => {} });
      await database.migrate([{ name: "1", statements: ["CREATE TABLE t (id BIGINT)"] }]);
      const made = readdirSync(folder.path, { recursive: true }).map(String);
      expect(made).toContain("db/pool.db-wal");
      for (const one of made) expect(ownerOf(join(folder.path, one))).toEqual(OWNER);
      await database.close();
    });

    test("is not left by a link of theirs, only by one of root", () => {
      using folder = theirs();
      using elsewhere = temporaryFolder();
      const files = openFiles(folder.path);
      const link = join(folder.path, "keys");
      symlinkSync(elsewhere.path, link);
      files.write("keys/kept", "");
      expect(ownerOf(join(elsewhere.path, "kept")).uid).toBe(0);
      lchownSync(link, OWNER.uid, OWNER.gid);
      expect(refusalCode(() => files.write("keys/new", ""))).toBe("data.denied");
      expect(refusalCode(() => files.write("keys/deeper/new", ""))).toBe("data.denied");
      expect(refusalCode(() => files.remove("keys/kept"))).toBe("data.denied");
      expect(readdirSync(elsewhere.path)).toEqual(["kept"]);
    });

    test("is root's own where root makes it", () => {
      using folder = theirs();
      const files = openFiles(join(folder.path, "new"));
      files.write("a/b", "");
      for (const made of ["new", "new/a", "new/a/b"])
        expect(ownerOf(join(folder.path, made)).uid).toBe(0);
    });
  });
});

describe("keys and tokens", () => {
  test.each([
    ["keys/root.pem", 0o604, "data.exposed"],
    ["keys/pools/a/pool.seed", 0o602, "data.exposed"],
    ["operator.token", 0o644, "data.exposed"],
    ["node.key", 0o601, "data.exposed"],
    ["keys/root.pem", 0o600, "allowed"],
    ["keys/root.pem", 0o660, "allowed"],
    ["batches/1.csv", 0o644, "allowed"],
  ])("in %s with mode %o are %s", (path, mode, code) => {
    using folder = temporaryFolder();
    const files = openFiles(folder.path);
    files.write(path, "secret");
    chmodSync(join(folder.path, path), mode);
    expect(refusalCode(() => files.read(path))).toBe(code);
  });

  test("come from systemd's credentials where the data folder has none", () => {
    using folder = temporaryFolder();
    using credentials = temporaryFolder();
    const hand = (name: string, text: string) => writeFileSync(join(credentials.path, name), text);
    hand("keys_root.pem", "handed");
    hand("keys_jwt_1.seed", "one");
    hand("operator.token", "gpo");
    hand("batches_1.csv", "no secret");
    const files = openFiles(folder.path, credentials.path);
    files.write("keys/jwt/2.seed", "two");
    expect(files.readText("keys/root.pem")).toBe("handed");
    expect(files.readText("operator.token")).toBe("gpo");
    expect(files.list("keys/jwt")).toEqual(["1.seed", "2.seed"]);
    expect(files.readText("batches/1.csv")).toBeUndefined();
    expect(files.list("batches")).toEqual([]);
    files.write("keys/root.pem", "renewed");
    expect(files.readText("keys/root.pem")).toBe("renewed");
    expect(openFiles(folder.path, "/nowhere").readText("operator.token")).toBeUndefined();
  });
});
