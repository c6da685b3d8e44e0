import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { ARCHITECTURE, makeKeys, makeRelease, sha256, standIn } from "./release.ts";
import { World } from "./world.ts";

/** Each test installs several times, in shells that start hundreds of commands. */
setDefaultTimeout(60_000);

const NAME = `galaxy-pool-1.1.0-linux-${ARCHITECTURE}`;

const ENDLESS_BYTES = 200_000_000;

interface Tampering {
  /** What is wrong with the release 1.1.0 that an installed 1.0.0 finds. */
  readonly tamper?: (world: World) => void;
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  /** What is wrong with the script itself. */
  readonly script?: (text: string) => string;
  /** Tools that are not there. */
  readonly without?: readonly string[];
  readonly says: string;
}

/** The same world for all: whatever is refused changes nothing in it. */
const world = new World();
world.publish("1.0.0");
const pristine = await world.install();
world.publish("1.1.0");
const release = new Map(
  readdirSync(world.latest).map((name) => [name, readFileSync(join(world.latest, name))]),
);
world.services();
const SCRIPT = String(release.get("install.sh"));
const installed = world.snapshot();

const CASES: Readonly<Record<string, Tampering>> = {
  "a changed checksum list": {
    tamper: edit("SHA256SUMS", (text) =>
      text.replace(/^./, (first) => (first === "0" ? "1" : "0")),
    ),
    says: "The signature of SHA256SUMS is wrong.",
  },
  "a line added to the list": {
    tamper: edit("SHA256SUMS", (text) => `${text}${"0".repeat(64)}  extra\n`),
    says: "The signature of SHA256SUMS is wrong.",
  },
  "a signature of another key": {
    tamper: ({ latest, path }) => makeKeys(join(path, crypto.randomUUID())).sign(latest),
    says: "The signature of SHA256SUMS is wrong.",
  },
  "a signature of another key, seen by ssh-keygen": {
    tamper: ({ latest, path }) => makeKeys(join(path, crypto.randomUUID())).sign(latest),
    without: ["minisign"],
    says: "The signature of SHA256SUMS is wrong.",
  },
  "a wrong signature, although signatures may be skipped": {
    tamper: edit("SHA256SUMS", (text) => `${text}${"0".repeat(64)}  extra\n`),
    flags: ["--skip-signature"],
    says: "The signature of SHA256SUMS is wrong.",
  },
  "a signature that is not there": {
    tamper: ({ latest }) => rmSync(join(latest, "SHA256SUMS.minisig")),
    says: "SHA256SUMS.minisig cannot be fetched.",
  },
  "a signature that is not there, although signatures may be skipped": {
    tamper: ({ latest }) => rmSync(join(latest, "SHA256SUMS.sig")),
    without: ["minisign"],
    flags: ["--skip-signature"],
    says: "SHA256SUMS.sig cannot be fetched.",
  },
  "an empty signature": {
    tamper: edit("SHA256SUMS.minisig", () => ""),
    says: "The signature of SHA256SUMS is wrong.",
  },
  "the signature of another release": {
    tamper: (at) =>
      cpSync(
        join(at.folderOf("1.0.0"), "SHA256SUMS.minisig"),
        join(at.latest, "SHA256SUMS.minisig"),
      ),
    says: "The signature of SHA256SUMS is wrong.",
  },
  "no verifier": {
    without: ["minisign", "ssh-keygen"],
    says: "Nothing here can verify the signature of the release.",
  },
  "no key in the script": {
    script: (text) => text.replace(/^(MINISIGN|SSH)_KEY='.*'$/gm, "$1_KEY=''"),
    says: "This script has no key to verify the release with.",
  },
  "another executable under the name": {
    tamper: edit(`${NAME}.gz`, () => gzipSync("#!/bin/sh\nexit 0\n").toString("latin1")),
    says: `The checksum of ${NAME}.gz is wrong.`,
  },
  "an executable cut short": {
    tamper: edit(`${NAME}.gz`, (text) => text.slice(0, -20)),
    says: `The checksum of ${NAME}.gz is wrong.`,
  },
  "an executable with one bit turned": {
    tamper: edit(
      `${NAME}.gz`,
      (text) =>
        text.slice(0, 100) + String.fromCharCode(text.charCodeAt(100) ^ 1) + text.slice(101),
    ),
    says: `The checksum of ${NAME}.gz is wrong.`,
  },
  "an empty executable": {
    tamper: edit(`${NAME}.gz`, () => ""),
    says: `The checksum of ${NAME}.gz is wrong.`,
  },
  "no executable": {
    tamper: ({ latest }) => rmSync(join(latest, `${NAME}.gz`)),
    says: `${NAME}.gz cannot be fetched.`,
  },
  "an executable that unpacks to something else than signed": {
    tamper: resigned((lines) =>
      lines.map(([hash, name]) => [name === NAME ? "0".repeat(64) : hash, name]),
    ),
    says: `The checksum of ${NAME} is wrong.`,
  },
  "an archive that is none": {
    tamper: (at) => {
      writeFileSync(join(at.latest, `${NAME}.gz`), "not packed");
      resigned((lines) =>
        lines.map(([hash, name]) => [name.endsWith(".gz") ? sha256("not packed") : hash, name]),
      )(at);
    },
    says: `${NAME}.gz cannot be unpacked.`,
  },
  "a list without the unpacked executable": {
    tamper: resigned((lines) => lines.filter(([, name]) => name !== NAME)),
    says: `SHA256SUMS does not list ${NAME}.`,
  },
  "a list without this architecture": {
    tamper: resigned((lines) => lines.filter(([, name]) => name === "install.sh")),
    says: `The release has no one galaxy-pool for linux-${ARCHITECTURE}.`,
  },
  "two lines for one name": {
    tamper: resigned((lines) => [...lines, ["0".repeat(64), `${NAME}.gz`]]),
    says: "SHA256SUMS names a file twice.",
  },
  "two versions in one release": {
    tamper: resigned((lines) => [
      ...lines,
      ["0".repeat(64), NAME.replace("1.1.0", "1.2.0")],
      ["0".repeat(64), `${NAME.replace("1.1.0", "1.2.0")}.gz`],
    ]),
    says: `The release has no one galaxy-pool for linux-${ARCHITECTURE}.`,
  },
  "a path in a name": {
    tamper: resigned((lines) => [...lines, ["0".repeat(64), `../../${NAME}.gz`]]),
    says: "SHA256SUMS is no list of checksums.",
  },
  "a version that is none": {
    tamper: resigned((lines) =>
      lines.map(([hash, name]) => [hash, name.replace("1.1.0", "$(id)")]),
    ),
    says: "SHA256SUMS is no list of checksums.",
  },
  "an empty list": {
    tamper: resigned(() => []),
    says: "SHA256SUMS is no list of checksums.",
  },
  "a page of a captive portal in the place of the list": {
    tamper: (at) => {
      at.answer = () => new Response("<html>Please log in</html>");
    },
    without: ["minisign", "ssh-keygen"],
    flags: ["--skip-signature"],
    says: "SHA256SUMS is no list of checksums.",
  },
  "a page of a captive portal in the place of the executable": {
    tamper: (at) => {
      at.answer = (name) =>
        name.endsWith(".gz") ? new Response("<html>Please log in</html>") : undefined;
    },
    says: `The checksum of ${NAME}.gz is wrong.`,
  },
  "a release served under the name of another": {
    env: { GALAXY_POOL_VERSION: "1.0.9" },
    tamper: (at) => makeRelease(at.folderOf("1.0.9"), recipe("1.1.0")),
    says: "Version 1.0.9 was asked for, but the signed release is 1.1.0.",
  },
  "a version nobody released": {
    env: { GALAXY_POOL_VERSION: "9.9.9" },
    says: "download/v9.9.9/SHA256SUMS cannot be fetched.",
  },
  "a pin that is no version": {
    env: { GALAXY_POOL_VERSION: "../../latest" },
    says: '"../../latest" is no version.',
  },
  "an older release than the script's own": {
    tamper: (at) => makeRelease(at.latest, { ...recipe("1.0.5"), named: "1.0.5" }),
    says: "The release found is 1.0.5, but this script is of 1.1.0.",
  },
  "an executable that says it is another version": {
    tamper: (at) => makeRelease(at.latest, { ...recipe("1.2.0"), named: "1.1.0" }),
    says: 'The executable says it is version "1.2.0", the signed list says 1.1.0.',
  },
  "an executable that does not run here": {
    tamper: (at) => makeRelease(at.latest, { ...recipe("1.1.0"), executable: "#!/nowhere\n" }),
    says: "galaxy-pool 1.1.0 does not run on this machine.",
  },
  "a redirect away from https": {
    tamper: (at) => {
      at.answer = (name) =>
        name.endsWith("SHA256SUMS") ? Response.redirect(`${at.baseUrl}/elsewhere`, 302) : undefined;
    },
    says: "SHA256SUMS cannot be fetched.",
  },
  "a redirect away from https, with wget": {
    tamper: (at) => {
      at.answer = (name) =>
        name.endsWith("SHA256SUMS") ? Response.redirect(`${at.baseUrl}/elsewhere`, 302) : undefined;
    },
    without: ["curl"],
    says: "The server sends us away from https",
  },
  "a list that is too long": {
    tamper: (at) => {
      at.answer = (name) =>
        name.endsWith("SHA256SUMS") ? new Response("x".repeat(1_100_000)) : undefined;
    },
    says: "SHA256SUMS cannot be fetched.",
  },
  "a server that wants to be asked again tomorrow": {
    tamper: (at) => {
      const headers = { "retry-after": "86400" };
      at.answer = () => new Response("busy", { status: 503, headers });
    },
    says: "The requested URL returned error: 503",
  },
  "a server that is not there": {
    env: { INSTALL_GALAXY_BASE_URL: "http://127.0.0.1:1" },
    says: "SHA256SUMS cannot be fetched.",
  },
  "plain http beyond this machine": {
    env: { INSTALL_GALAXY_BASE_URL: "http://downloads.example" },
    says: "is not https.",
  },
  "plain http to a name that begins like this machine's": {
    env: { INSTALL_GALAXY_BASE_URL: "http://127.0.0.1.example" },
    says: "is not https.",
  },
  "plain http behind a user name that looks like this machine": {
    env: { INSTALL_GALAXY_BASE_URL: "http://127.0.0.1@evil.example" },
    says: "is not https.",
  },
  "a base URL that is no web address": {
    env: { INSTALL_GALAXY_BASE_URL: "file:///etc" },
    says: "is no web address.",
  },
  "a base URL with a command in it": {
    env: { INSTALL_GALAXY_BASE_URL: "https://x/$(touch /tmp/x)" },
    says: "has a character no URL of ours has.",
  },
  "a folder that is not there": {
    flags: ["--from", "/nowhere"],
    says: "The folder given with --from is not there.",
  },
  "a folder without the files": {
    flags: ["--from", "/etc"],
    says: "SHA256SUMS cannot be taken from /etc.",
  },
  "neither curl nor wget": { without: ["curl", "wget"], says: "Neither curl nor wget is here." },
  "an unknown option": { flags: ["--purge", "x"], says: "There is no option --purge." },
  "an option without its value": {
    flags: ["--from"],
    says: "The option --from is not known, or its value is missing.",
  },
  "an unknown role": { flags: ["--role", "moon"], says: 'There is no role "moon".' },
  "a relative folder": { flags: ["--bin-dir", "bin"], says: '"bin" is no whole path.' },
  "an architecture there is none for": {
    flags: ["--arch", "riscv64"],
    says: "There is no galaxy-pool for riscv64.",
  },
  "a 32-bit system": { flags: ["--arch", "armv7l"], says: "This system is 32 bit." },
  "a token without the address of a pool": {
    env: { GALAXY_POOL_TOKEN: "GP1.a.b.c.d.e" },
    says: "GALAXY_POOL_TOKEN is set, but GALAXY_POOL_URL is not.",
  },
};

afterAll(() => world[Symbol.dispose]());

describe("the installer refuses, and changes nothing:", () => {
  test("the world it starts from is whole", () => expect(pristine.code).toBe(0));

  test.each(Object.entries(CASES))(
    "%s",
    async (_, { tamper, env, flags, script, without, says }) => {
      restore();
      tamper?.(world);
      const { code, stdout, stderr } = await world.install({
        script: script ? script(SCRIPT) : SCRIPT,
        ...(env ? { env } : {}),
        ...(flags ? { flags } : {}),
        ...(without ? { path: world.pathWithout(without) } : {}),
      });
      expect(stderr).toContain("[ERROR] ");
      expect(stderr).toContain(says);
      expect(code).toBe(1);
      expect(`${stdout}${stderr}`).not.toMatch(/not found|syntax|unbound|parameter not/);
      expect(world.snapshot()).toEqual(installed);
      expect(world.services()).toEqual([]);
    },
  );
});

test.each([
  ["curl", []],
  ["wget", ["curl"]],
])("an answer without an end does not fill the disk, with %s", async (_, without) => {
  restore();
  let sent = 0;
  world.answer = () => new Response(endless((bytes) => (sent += bytes)));
  const { code, stderr } = await world.install({ path: world.pathWithout(without) });
  expect(code).toBe(1);
  expect(stderr).toContain("The answer is larger than 1000000 bytes.");
  expect(sent).toBeLessThan(ENDLESS_BYTES);
  expect(world.snapshot()).toEqual(installed);
});

describe("on this machine itself the installer", () => {
  test("wants systemd, and names what to do without", async () => {
    restore();
    const { code, stderr } = await world.install({
      env: { INSTALL_GALAXY_ROOT: "" },
      path: world.pathWithout(["systemctl"]).replace(`${world.path}/bin:`, ""),
    });
    expect(code).toBe(1);
    expect(stderr).toContain("systemd does not run here.");
    expect(stderr).toContain("galaxy-pool serve");
  });
});

function recipe(version: string) {
  return {
    version,
    executable: standIn(world.path, version),
    keys: world.keys,
    baseUrl: world.baseUrl,
  };
}

/** A body whose length no header says, and which only ends so that a failing test does. */
function endless(tell: (bytes: number) => number): ReadableStream<Uint8Array> {
  const chunk = new Uint8Array(1_000_000);
  return new ReadableStream({
    pull: (controller) => {
      controller.enqueue(chunk);
      if (tell(chunk.length) >= ENDLESS_BYTES) controller.close();
    },
  });
}

type Line = readonly [string, string];

/** The list of the release, changed and signed anew: what a broken release would be. */
function resigned(change: (lines: readonly Line[]) => readonly Line[]) {
  return ({ latest, keys }: World): void => {
    const sums = join(latest, "SHA256SUMS");
    const lines = readFileSync(sums, "utf8").trim().split("\n");
    const pairs = change(lines.map((line) => line.split("  ") as [string, string]));
    writeFileSync(sums, pairs.map((pair) => `${pair.join("  ")}\n`).join(""));
    keys.sign(latest);
  };
}

/** A file of the release with other bytes; they come and go as Latin-1. */
function edit(name: string, change: (text: string) => string): (world: World) => void {
  return ({ latest }) => {
    const was = readFileSync(join(latest, name), "latin1");
    writeFileSync(join(latest, name), change(was), "latin1");
  };
}

/** The release as it was made. */
function restore(): void {
  rmSync(world.folderOf("1.0.9"), { recursive: true, force: true });
  rmSync(world.latest, { recursive: true, force: true });
  mkdirSync(world.latest, { recursive: true });
  for (const [name, bytes] of release) writeFileSync(join(world.latest, name), bytes);
  world.answer = () => undefined;
  world.services();
}
