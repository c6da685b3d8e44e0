import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { executable, type Ran } from "#test/support/executable.ts";
import { NodeProcess } from "#test/support/node-process.ts";
import { allCredited } from "#test/support/numbers.ts";
import { PoolProcess } from "#test/support/pool-process.ts";

setDefaultTimeout(60_000);

const UNKNOWN = "a".repeat(26);
let pool: PoolProcess;
let node: NodeProcess;

beforeAll(async () => {
  pool = await PoolProcess.start();
  const more = ["--payout-address", "cash", "--specialization", "storage"];
  node = await NodeProcess.joined(pool, "commanded", { token: await pool.token(), more });
  await node.run();
  await node.proves(5);
  await allCredited(pool, node);
});

afterAll(async () => {
  await node[Symbol.asyncDispose]();
  await pool[Symbol.asyncDispose]();
});

/** A command line with the ids of this test in it. */
const words = (line: string): string[] =>
  line
    .replaceAll("NODE", node.id)
    .replaceAll("POOL", (pool.made["pool"] as { id: string }).id)
    .split(" ");

function expectJson(line: string, { code, stdout, stderr }: Ran): void {
  expect([line, code, stderr]).toEqual([line, 0, ""]);
  expect(JSON.parse(stdout)).toMatchObject({ schema_version: 1 });
}

describe("with --json prints one document that names its version", () => {
  test.each([
    "status",
    "version",
    "config show",
    "config show --origin",
    "config check",
    "config reference",
    "node list",
    "node list --state alive -q comm",
    "node show NODE",
    "node approve NODE",
    "node suspend NODE --reason tired",
    "node resume NODE",
    "pool list",
    "pool show POOL",
    "pool update POOL --name renamed",
    "token create",
    "token list",
    "payout plan",
    "payout process",
    "payout list",
    "payout settle 1 --ref bank",
    "explain NODE",
    "statement NODE",
    "poot show NODE",
    "poot calculate",
    "poot calculate NODE",
  ])("%s", async (line) => {
    const run = ["version", "config reference"].includes(line) ? "run" : "cli";
    expectJson(line, await pool[run](...words(line), "--json"));
  });

  test("and what is made can be deleted again", async () => {
    const made = await pool.json("pool", "create", "short-lived", "--kind", "dev");
    expect(await pool.json("pool", "delete", made.pool_id)).toMatchObject({ schema_version: 1 });
    const token = await pool.json("token", "create");
    expect(await pool.json("token", "revoke", token.token_id)).toMatchObject({ schema_version: 1 });
  });
});

describe("ends with", () => {
  test.each<[number, string, string]>([
    [0, "--help", "Usage: galaxy-pool"],
    [0, "node join --help", "Example"],
    [0, "--version", "1.0.0"],
    [1, `node show ${UNKNOWN}`, "code: node.unknown"],
    [1, `node remove ${UNKNOWN}`, "code: node.unknown"],
    [1, `pool show ${UNKNOWN}`, "code: pool.unknown"],
    [1, `pool delete ${UNKNOWN}`, "code: pool.unknown"],
    [1, "pool create renamed2 --kind circus", "code: request.invalid"],
    [1, "token revoke abcdefgh", "code: token.unknown"],
    [1, `explain ${UNKNOWN}`, "code: node.unknown"],
    [1, `statement ${UNKNOWN}`, "code: node.unknown"],
    [1, `poot show ${UNKNOWN}`, "code: node.unknown"],
    [1, "payout settle 99 --ref x", "code: payout.batch_unknown"],
    [1, "payout cancel 1 --not-sent", "code: payout.already_settled_otherwise"],
    [1, "config check --set no.such=key", "code: config.unknown_key"],
    [1, "config check --set registry.max_nodes=-1", "code: config.invalid"],
    [2, "", "Usage"],
    [2, "nod list", "Did you mean node"],
    [2, "node lst", "Did you mean list"],
    [2, "status --jsno", "Did you mean --json"],
    [2, "node show", "missing required argument"],
    [3, "status --url http://127.0.0.1:1 --token x", "code: cli.unreachable"],
    [3, "node list --url http://127.0.0.1:1 --token x", "code: cli.unreachable"],
  ])("%i: %s", async (code, line, said) => {
    const asked = line === "" ? [] : words(line);
    const takesConfig = code === 1 || code === 3;
    const ran = await (takesConfig ? pool.cli(...asked) : pool.run(...asked));
    expect([ran.code, ran.stdout + ran.stderr]).toEqual([code, expect.stringContaining(said)]);
  });

  test("4 when a proof does not hold", async () => {
    const { stdout } = await pool.cli("poot", "show", node.id, "--file");
    const file = join(pool.folder, "proof.json");
    writeFileSync(file, stdout);
    expect((await pool.run("poot", "verify", file)).code).toBe(0);
    const other = await pool.run("poot", "verify", file, "--node", UNKNOWN);
    expect(other.code).toBe(4);
  });

  test("1 and a sentence when a file to verify is none", async () => {
    const file = join(pool.folder, "nothing.json");
    writeFileSync(file, "{}");
    const { code, stderr } = await pool.run("poot", "verify", file);
    expect([code, stderr]).toEqual([1, expect.stringContaining("code: poot.not")]);
    const missing = await pool.run("poot", "verify", join(pool.folder, "no-such-file"));
    expect([missing.code, missing.stderr]).toEqual([1, expect.stringContaining("no-such-file")]);
  });

  test("1 when a node that has not joined is asked to do something", async () => {
    const stranger = new NodeProcess(pool, "stranger");
    for (const verb of ["run", "status", "leave", "maintenance"]) {
      const { code, stderr } = await stranger.cli(verb);
      expect([verb, code, stderr]).toEqual([
        verb,
        1,
        expect.stringContaining("code: node.not_joined"),
      ]);
    }
  });

  test("3 when the pool of a node is not there", async () => {
    await using other = await PoolProcess.start();
    const lonely = await NodeProcess.joined(other, "lonely", { token: await other.token() });
    await other.stop();
    const { code, stdout } = await lonely.cli("status", "--json");
    expect([code, JSON.parse(stdout).problem]).toEqual([3, expect.stringContaining("reach")]);
    expect((await other.cli("status")).code).toBe(3);
  });
});

describe("a refusal of the command line", () => {
  test("says what and what to do, and with --json the same as a document", async () => {
    const plain = await pool.cli("node", "show", UNKNOWN);
    expect(plain.stderr).toMatch(/^galaxy-pool: .+\.\n {2}code: node\.unknown\n$/);
    const { stderr } = await pool.cli("node", "show", UNKNOWN, "--json");
    const document = { schema_version: 1, error: { code: "node.unknown" } };
    expect(JSON.parse(stderr)).toMatchObject(document);
  });
});

describe("completion", () => {
  async function shellSays(shell: string, script: string): Promise<string> {
    const { stdout } = await pool.run("completion", shell);
    const file = join(pool.folder, `completion.${shell}`);
    writeFileSync(file, stdout);
    const run = Bun.spawn([shell, "-c", script.replaceAll("FILE", file)], {
      stdout: "pipe",
      stderr: "pipe",
    });
    const [said, complaint] = await Promise.all([run.stdout.text(), run.stderr.text()]);
    expect([await run.exited, complaint]).toEqual([0, ""]);
    return said;
  }

  test("in bash offers what may follow", async () => {
    const script = `
      source FILE
      COMP_WORDS=(galaxy-pool payout se); COMP_CWORD=2; _galaxy_pool; echo "\${COMPREPLY[@]}"
      COMP_WORDS=(galaxy-pool node join --to); COMP_CWORD=3; _galaxy_pool; echo "\${COMPREPLY[@]}"
      complete -p galaxy-pool`;
    const said = (await shellSays("bash", script)).split("\n");
    expect(said.slice(0, 2)).toEqual(["settle", "--token --token-file"]);
    expect(said[2]).toContain("_galaxy_pool");
  });

  for (const [shell, script] of [
    ["zsh", "autoload -U compinit && compinit -u -D; source FILE; echo fine"],
    ["fish", "source FILE; complete -C 'galaxy-pool pay'"],
  ] as const) {
    const isThere = Bun.which(shell) !== null;
    if (!isThere) process.stderr.write(`(skip) completion in ${shell}: it is not installed\n`);
    test.skipIf(!isThere)(`in ${shell} is read without a complaint`, async () => {
      expect(await shellSays(shell, script)).toMatch(/fine|payout/);
    });
  }

  test("for a shell nobody knows is refused", async () => {
    const { code, stderr } = await pool.run("completion", "cmd");
    expect([code, stderr]).toEqual([2, expect.stringContaining("code: cli.unknown_shell")]);
  });
});

test("the executable needs nothing beside it and runs from anywhere", async () => {
  const run = Bun.spawn([await executable(), "version"], { cwd: "/", env: {}, stdout: "pipe" });
  expect(await run.stdout.text()).toStartWith("galaxy-pool 1.0.0 (linux-");
});
