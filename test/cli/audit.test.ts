import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { seededRandom } from "#test/support/seeded-random.ts";
import { formatCheckpoint, parseCheckpoint } from "@/core/audit/checkpoint.ts";
import { AgentWorld, type TestAgent } from "../modules/agent/world.ts";

setDefaultTimeout(120_000);

const GO_MODULES = "/usr/share/gocode";
const GO_TAMPERINGS = 60;
const folder = temporaryFolder();
const older = join(folder.path, "older");
const whole = join(folder.path, "whole");
const goVerifier = buildGoVerifier();
let world: AgentWorld;
let nodes: readonly TestAgent[] = [];

const audit = (...words: readonly string[]) => typed("audit", ...words);
const asked = (...words: readonly string[]) => audit(...words, ...world.reach);

/** The Go program of the examples; undefined, and said so, where Debian's packages are not there. */
function buildGoVerifier(): string | undefined {
  const program = join(folder.path, "audit-verify");
  const source = join(import.meta.dir, "../../scripts/examples/audit-verify.go");
  const env = {
    ...process.env,
    GO111MODULE: "off",
    GOPATH: GO_MODULES,
    GOCACHE: join(folder.path, "go"),
  };
  if (Bun.which("go") === null) return skipped("go is not installed");
  const { exitCode, stderr } = Bun.spawnSync(["go", "build", "-o", program, source], { env });
  return exitCode === 0 ? program : skipped(stderr.toString());
}

function skipped(why: string): undefined {
  process.stderr.write(`(skip) the verifier in Go is left out: ${why}\n`);
}

function goVerify(program: string, ...words: readonly string[]) {
  const { exitCode, stdout, stderr } = Bun.spawnSync([program, ...words]);
  return { code: exitCode, said: `${stdout}${stderr}` };
}

const witnessKeys = () => nodes.map((node) => node.another().witnessed().key);
const sizeOf = (node: TestAgent) => node.another().witnessed().checkpoint?.size ?? 0;

/** Another act, seen and cosigned by every node. */
async function grow(): Promise<void> {
  await world.token();
  const before = nodes.map(sizeOf);
  await world.turn("the nodes to witness more", () =>
    nodes.every((node, at) => sizeOf(node) > (before[at] ?? 0)),
  );
  for (const node of nodes) await node.beats();
  for (const node of nodes) await node.beats();
}

beforeAll(async () => {
  world = await AgentWorld.start({
    set: { "audit.hold_seconds": 0, "audit.checkpoint_seconds": 10 },
  });
  nodes = [await world.member(), await world.member()];
  for (const node of nodes) node.run();
  await grow();
  await asked("export", older);
  await grow();
  await grow();
});

afterAll(async () => {
  await world[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

describe("looking back", () => {
  test("lists who did what, the newest first, as a table and as JSON", async () => {
    const { code, stdout } = await asked("list", "--action", "token.*", "--limit", "2");
    expect([code, stdout.trim().split("\n").length]).toEqual([0, 3]);
    expect(stdout).toContain("operator:local");
    const { items } = JSON.parse((await asked("list", "--json")).stdout);
    expect(items[0]).toMatchObject({ actor: expect.any(String), detail: expect.any(Object) });
    expect(BigInt(items[0].number)).toBeGreaterThan(BigInt(items[1].number));
    const [first] = nodes;
    const of = await asked("list", "--subject", first?.id ?? "", "--json");
    const subjects = JSON.parse(of.stdout).items.map((act: { subject: string }) => act.subject);
    expect(new Set(subjects)).toEqual(new Set([first?.id ?? ""]));
  });

  test("verifies the log of the pool that runs", async () => {
    const { code, stdout } = await asked("verify", "--checkpoint", older);
    expect([code, stdout]).toEqual([0, expect.stringContaining("Everything holds.")]);
  });

  test("exports it with its cosignatures, once into the same folder", async () => {
    const { code, stdout } = await asked("export", whole, "--json");
    expect([code, JSON.parse(stdout)]).toMatchObject([0, { cosignatures: 2 }]);
    expect((await asked("export", whole)).code).toBe(1);
    const [one = "", two = ""] = witnessKeys();
    const words = ["--witness", one, "--witness", two, "--quorum", "2", "--checkpoint", older];
    const verdict = await audit("verify", whole, ...words, "--json");
    expect([verdict.code, JSON.parse(verdict.stdout).ok]).toEqual([0, true]);
  });

  test("ends with 4 when the log does not hold, and with 2 when it is asked wrongly", async () => {
    const cut = join(folder.path, "cut");
    cpSync(older, cut, { recursive: true });
    const { code, stdout } = await audit("verify", cut, "--checkpoint", whole);
    expect([code, stdout]).toEqual([4, expect.stringContaining("it was cut")]);
    const stranger = "galaxy-pool.internal/node/x+00000000+AAAA";
    expect((await audit("verify", whole, "--witness", stranger)).code).toBe(1);
    const [, logKey = ""] = /^(.+)$/m.exec(readFileSync(join(whole, "keys.txt"), "utf8")) ?? [];
    expect((await audit("verify", whole, "--witness", logKey)).code).toBe(2);
    expect((await audit("verify", whole, "--quorum", "1")).code).toBe(2);
    expect((await audit("verify", join(folder.path, "nowhere"))).code).toBe(1);
  });

  test("proves over HTTP that an entry is in the log, and that it only grew", async () => {
    const [, url = "", , token = ""] = world.reach;
    const ask = async (query: string) => {
      const headers = { authorization: `Bearer ${token}` };
      const answer = await fetch(`${url}/api/v1/audit/${query}`, { headers });
      return { status: answer.status, text: await answer.text() };
    };
    const note = await ask("checkpoint?format=note&which=cosigned");
    expect(formatCheckpoint(parseCheckpoint(note.text))).toBe(note.text);
    const inclusion = JSON.parse((await ask("proof?index=1&size=3")).text);
    expect(inclusion).toMatchObject({ type: "inclusion", index: 1, size: 3 });
    expect(inclusion.proof.length).toBe(2);
    const growth = JSON.parse((await ask("proof?from=2")).text);
    expect(growth).toMatchObject({ type: "consistency", from: 2 });
    for (const wrong of ["proof", "proof?index=3&size=3", "proof?from=1&size=99999"]) {
      expect((await ask(wrong)).status).toBe(400);
    }
  });
});

describe.skipIf(goVerifier === undefined)("an independent verifier in Go", () => {
  const verifier = goVerifier ?? "";
  const trusted = () => witnessKeys().flatMap((key) => ["-witness", key]);

  test("says that an export holds, with both cosignatures and an older checkpoint", () => {
    const words = [...trusted(), "-k", "2", "-older", join(older, "checkpoint.txt"), whole];
    const { code, said } = goVerify(verifier, ...words);
    expect([code, said]).toEqual([0, expect.stringContaining("2 cosignatures: everything holds")]);
    expect(goVerify(verifier, "-k", "1", whole).code).toBe(4);
  });

  test("refuses an older export as the log of today, and every tampered one, as ours does", async () => {
    const newer = join(whole, "checkpoint.txt");
    expect(goVerify(verifier, "-older", newer, older).code).toBe(4);
    const random = seededRandom(4);
    for (let run = 0; run < GO_TAMPERINGS; run++) {
      const tampered = join(folder.path, `tampered-${run}`);
      mkdirSync(tampered);
      cpSync(whole, tampered, { recursive: true });
      const file = ["entries.jsonl", "checkpoint.txt"][run % 2] ?? "";
      const bytes = readFileSync(join(tampered, file));
      const at = Math.floor(random() * bytes.length);
      bytes[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 7));
      const isCut = run % 3 === 0;
      writeFileSync(join(tampered, file), isCut ? bytes.subarray(0, at) : bytes);
      const { code } = goVerify(verifier, ...trusted(), "-k", "2", tampered);
      const witnesses = witnessKeys().flatMap((key) => ["--witness", key]);
      const ours = await audit("verify", tampered, ...witnesses);
      expect([run, code, ours.code === 0]).toEqual([run, 4, false]);
    }
  });
});
