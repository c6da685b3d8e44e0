import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { stampInstaller } from "../../scripts/releasing/installer.ts";
import { refuseOtherBytes } from "../../scripts/releasing/packages.ts";
import { refuseUnclean, takeSource, uncommitted } from "../../scripts/releasing/source.ts";
import { must } from "./made-release.ts";

/** A repository with one commit. */
function repository(path: string): string {
  const root = join(path, "repository");
  mkdirSync(root);
  writeFileSync(join(root, "package.json"), '{ "version": "1.2.3" }\n');
  const who = ["-c", "user.name=test", "-c", "user.email=test@example.org"];
  must(["git", "init", "--quiet"], root);
  must(["git", "add", "package.json"], root);
  must(["git", ...who, "commit", "--quiet", "-m", "first"], root);
  return root;
}

describe("the source of a release", () => {
  test("is a clean clone of HEAD", () => {
    using folder = temporaryFolder();
    const root = repository(folder.path);
    const dirty = uncommitted(root);
    expect(dirty).toEqual([]);
    refuseUnclean(dirty);
    const source = takeSource(root, join(folder.path, "clone"), dirty);
    expect(source.packageVersion).toBe("1.2.3");
    expect(source.commit).toBe(must(["git", "rev-parse", "HEAD"], root).trim());
    expect(source.epoch).toMatch(/^\d{10}$/);
  });

  test("is refused when files are changed or new, and they are named", () => {
    using folder = temporaryFolder();
    const root = repository(folder.path);
    writeFileSync(join(root, "package.json"), '{ "version": "1.2.4" }\n');
    mkdirSync(join(root, "src"));
    writeFileSync(join(root, "src/new file.ts"), "");
    const dirty = uncommitted(root);
    expect(dirty).toEqual(["package.json", "src/new file.ts"]);
    expect(() => refuseUnclean(dirty)).toThrow(
      "The work tree is not clean:\n  package.json\n  src/new file.ts\n",
    );
  });

  test("is the work tree as it is, when a trial asks for that", () => {
    using folder = temporaryFolder();
    const root = repository(folder.path);
    writeFileSync(join(root, ".gitignore"), "ignored\n");
    writeFileSync(join(root, "ignored"), "");
    const copy = join(folder.path, "copy");
    takeSource(root, copy, uncommitted(root));
    expect(readFileSync(join(copy, ".gitignore"), "utf8")).toBe("ignored\n");
    expect(() => readFileSync(join(copy, "ignored"))).toThrow("ENOENT");
  });
});

describe("a package the release fetches", () => {
  const BYTES = Buffer.from("a package");
  const SUM = new Bun.CryptoHasher("sha512").update(BYTES).digest("base64");

  test("has the bytes the lock file names", () => {
    expect(() => refuseOtherBytes("bun@1.0.0", BYTES, `sha512-${SUM}`)).not.toThrow();
  });

  test.each([
    ["with other bytes", Buffer.from("a packagf"), `sha512-${SUM}`],
    ["the lock file does not sum", BYTES, undefined],
    ["of a weaker sum", BYTES, "sha1-2jmj7l5rSw0yVb/vlWAYkK/YBwk="],
  ])("is refused %s", (_, bytes, integrity) => {
    expect(() => refuseOtherBytes("bun@1.0.0", bytes, integrity)).toThrow(
      "bun@1.0.0 is not the package that package-lock.json names.",
    );
  });
});

describe("the lines of install.sh a release fills in", () => {
  const SCRIPT =
    "#!/bin/sh\nRELEASE_VERSION=''\nBASE_URL='https://example.org'\necho \"$BASE_URL\"\n";

  test("hold what was given, and nothing else changes", () => {
    const stamped = stampInstaller(SCRIPT, { RELEASE_VERSION: "1.2.3", BASE_URL: "http://$&/$1" });
    expect(stamped).toBe(
      "#!/bin/sh\nRELEASE_VERSION='1.2.3'\nBASE_URL='http://$&/$1'\necho \"$BASE_URL\"\n",
    );
  });

  test.each([
    ["is missing", "echo\n", 0],
    ["is indented", "  RELEASE_VERSION=''\n", 0],
    ["is there twice", "RELEASE_VERSION=''\nRELEASE_VERSION=''\n", 2],
  ])("are refused when one %s", (_, script, count) => {
    expect(() => stampInstaller(script, { RELEASE_VERSION: "1.2.3" })).toThrow(
      `must hold the line RELEASE_VERSION='' exactly once; it has ${count}.`,
    );
  });

  test.each(["it's", "two\nlines", "back\\slash"])("are refused for the value %j", (value) => {
    expect(() => stampInstaller(SCRIPT, { RELEASE_VERSION: value })).toThrow("cannot be written");
  });
});
