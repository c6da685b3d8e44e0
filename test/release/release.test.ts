import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { must, type Ran, ran, runRelease, VERSION, Workshop } from "./made-release.ts";

const MAKE_MS = 60_000;
const URL = "http://127.0.0.1:8080";
const SIGNATURES = ["SHA256SUMS.minisig", "SHA256SUMS.sig"];

let workshop: Workshop;
let first: Ran;
let second: Ran;

/** Two releases of the same source, in folders of different names. */
beforeAll(async () => {
  workshop = new Workshop();
  [first, second] = await Promise.all([
    workshop.release("one", "--base-url", URL, "--json"),
    workshop.release("another name", "--base-url", URL),
  ]);
}, MAKE_MS);
afterAll(() => workshop[Symbol.dispose]());

function folder(out = "one"): string {
  return join(workshop.path, out, `download/v${VERSION}`);
}

function textOf(name: string, out = "one"): string {
  return readFileSync(join(folder(out), name), "utf8");
}

function names(path: string): string[] {
  return readdirSync(path).sort();
}

/** A copy of the release in which one file has one other byte. */
function tampered(name: string): string {
  const copy = join(workshop.path, `tampered-${name}`);
  cpSync(folder(), copy, { recursive: true });
  const bytes = readFileSync(join(copy, name));
  bytes.writeUInt8(bytes.readUInt8(0) ^ 1, 0);
  writeFileSync(join(copy, name), bytes);
  return copy;
}

function minisignCode(at: string): number {
  const key = /^MINISIGN_KEY='(.*)'$/m.exec(textOf("install.sh"))?.[1] ?? "";
  return ran(["minisign", "-V", "-P", key, "-m", "SHA256SUMS"], at).code;
}

function sshCode(at: string): number {
  const key = /^SSH_KEY='(.*)'$/m.exec(textOf("install.sh"))?.[1] ?? "";
  const signers = join(workshop.path, "signers");
  writeFileSync(signers, `release@galaxy-pool namespaces="galaxy-pool-release" ${key}\n`);
  const words = ["-I", "release@galaxy-pool", "-n", "galaxy-pool-release", "-s", "SHA256SUMS.sig"];
  const sums = readFileSync(join(at, "SHA256SUMS"), "utf8");
  return ran(["ssh-keygen", "-Y", "verify", "-f", signers, ...words], at, sums).code;
}

describe("a release", () => {
  test("is made, and says so as JSON and as lines", () => {
    expect([first.code, second.code]).toEqual([0, 0]);
    const told = JSON.parse(first.stdout);
    expect(told).toMatchObject({ version: VERSION, built: false });
    expect(told.files).toHaveLength(7);
    expect(first.stderr).toMatch(/^publish +\d+\.\d s/m);
    expect(second.stdout).toMatch(/^licences +\d+\.\d s {2}\d+ packages$/m);
  });

  test("lies under its version and as the latest one", () => {
    const expected = [
      "SHA256SUMS",
      ...SIGNATURES,
      "THIRD-PARTY-LICENSES.txt",
      `galaxy-pool-${VERSION}-linux-arm64.gz`,
      `galaxy-pool-${VERSION}-linux-x64.gz`,
      "install.sh",
      "sbom.cdx.json",
    ].sort();
    expect(names(folder())).toEqual(expected);
    expect(names(join(workshop.path, "one/latest/download"))).toEqual(expected);
  });

  test("has the sum of every file and of every executable as it is unpacked", () => {
    const copy = join(workshop.path, "unpacked");
    cpSync(folder(), copy, { recursive: true });
    for (const name of names(copy).filter((one) => one.endsWith(".gz")))
      must(["gzip", "-d", "-k", name], copy);
    const listed = textOf("SHA256SUMS")
      .trim()
      .split("\n")
      .map((line) => line.slice(66));
    const there = names(copy).filter((name) => !name.startsWith("SHA256SUMS"));
    expect(listed).toEqual(there);
    expect(ran(["sha256sum", "--check", "--strict", "SHA256SUMS"], copy).code).toBe(0);
  });

  test("is signed with both keys, and the version is in the trusted comment", () => {
    expect([minisignCode(folder()), sshCode(folder())]).toEqual([0, 0]);
    expect(textOf("SHA256SUMS.minisig")).toContain(`\ntrusted comment: galaxy-pool ${VERSION}\n`);
  });

  test("shows when its sums were changed, to either verifier", () => {
    const copy = tampered("SHA256SUMS");
    expect([minisignCode(copy), sshCode(copy)]).toEqual([1, 255]);
  });

  test.each(SIGNATURES)("shows when %s was changed", (name) => {
    const copy = tampered(name);
    expect(minisignCode(copy) + sshCode(copy)).not.toBe(0);
  });

  test("shows when a file was changed", () => {
    const name = `galaxy-pool-${VERSION}-linux-arm64.gz`;
    const copy = tampered(name);
    const checked = ran(["sha256sum", "--check", "--ignore-missing", "SHA256SUMS"], copy);
    expect(checked.stdout).toContain(`${name}: FAILED`);
  });

  test("has an installer that a shell understands, with version, keys and address", () => {
    expect(ran(["sh", "-n", "install.sh"], folder()).code).toBe(0);
    const minisign = readFileSync(join(workshop.path, "minisign.pub"), "utf8")
      .trim()
      .split("\n")[1];
    const [type, base64] = readFileSync(`${workshop.sshKey}.pub`, "utf8").split(" ");
    for (const line of [
      `RELEASE_VERSION='${VERSION}'`,
      `MINISIGN_KEY='${minisign}'`,
      `SSH_KEY='${type} ${base64}'`,
      `BASE_URL='${URL}'`,
    ])
      expect(textOf("install.sh").split("\n")).toContain(line);
  });

  test("made twice from one source has the same bytes but for its signatures", () => {
    const unsigned = names(folder()).filter((name) => !SIGNATURES.includes(name));
    expect(unsigned).toHaveLength(6);
    for (const name of unsigned) expect(textOf(name, "another name")).toBe(textOf(name));
  });
});

describe("no release", () => {
  test.each([
    ["without keys", ["--allow-dirty"], 1, "--minisign-key FILE and --ssh-key FILE is missing"],
    ["with a key that is not there", ["--ssh-key", "/nowhere/key"], 1, "no key /nowhere/key"],
    ["for another architecture", ["--only", "mips"], 2, 'arm64 or x64, not "mips"'],
    ["of a version that is none", ["--as", "next"], 2, 'not "next"'],
    ["for an address that is none", ["--base-url", "ftp://x"], 2, 'not "ftp://x"'],
    ["by a word nobody knows", ["--fast"], 2, "--fast"],
  ])(
    "is made %s",
    async (_, words, code, said) => {
      const refused = await runRelease(words);
      expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code, stdout: "" });
      expect(refused.stderr).toContain(said);
    },
    MAKE_MS,
  );

  test(
    "is made of executables that say another version, and nothing is published",
    async () => {
      const refused = await workshop.release("other", "--as", "9.9.9");
      expect(refused.code).toBe(1);
      expect(refused.stderr).toContain(`says it is ${VERSION}, and the release is 9.9.9`);
      expect(refused.stdout).toContain(`WARNING: this release says 9.9.9, package.json says`);
      expect(existsSync(join(workshop.path, "other"))).toBe(false);
    },
    MAKE_MS,
  );
});
