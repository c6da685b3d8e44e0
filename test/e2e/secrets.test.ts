import { Database } from "bun:sqlite";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { NodeProcess } from "#test/support/node-process.ts";
import { PoolProcess } from "#test/support/pool-process.ts";
import { postgresDatabase, postgresSkipped } from "#test/support/postgres.ts";
import { fromHex, toBase32 } from "@/std/bytes.ts";

setDefaultTimeout(120_000);

const DATABASE_PASSWORD = "canary-database-7f3a1c";
const PASSWORD = "canary-correct-horse-battery";

/** Registers and notes of some threads; the memory would be a thousand times that. */
const CORE_BYTES_MAX = 4_194_304;

/** Twelve secrets of a running pool, as text or as bytes. */
type Canaries = Readonly<Record<string, string | Uint8Array>>;

async function plant(pool: PoolProcess, node: NodeProcess, joinToken: string): Promise<Canaries> {
  const bytes = (path: string) => new Uint8Array(readFileSync(join(pool.dataDir, path)));
  const [jwt = ""] = readdirSync(join(pool.dataDir, "keys/jwt"));
  const [id = ""] = readdirSync(join(pool.dataDir, "keys/pools"));
  await pool.told("POST", "/api/v1/users", {
    name: "ann",
    password: PASSWORD,
    roles: ["operator"],
  });
  const { key } = await pool.told("POST", "/api/v1/keys", { name: "canary", roles: ["auditor"] });
  const grant = await pool.told("POST", "/api/v1/auth/token", { user: "ann", password: PASSWORD });
  return {
    "CA key": derIn(bytes("keys/root.pem")).slice(36, 68),
    "pool key": bytes(`keys/pools/${id}/pool.seed`),
    "JWT key": bytes(`keys/jwt/${jwt}`),
    "audit key": bytes("keys/audit.seed"),
    "receipt master": bytes(`keys/pools/${id}/receipts`).slice(1, 33),
    "operator token": pool.operatorToken.slice(4),
    "join token": joinToken.split(".").at(-2) ?? "",
    "API key": String(key).slice(13),
    password: PASSWORD,
    "refresh token": String(grant.refresh_token).slice(4),
    "database password": DATABASE_PASSWORD,
    "node key": fromHex(readFileSync(join(node.data, "node.key"), "utf8").trim()) ?? "",
  };
}

/** The bytes of the private key in a PEM file. */
function derIn(pem: Uint8Array): Uint8Array {
  const [, text = ""] = /PRIVATE KEY-----([^-]+)-----END/.exec(new TextDecoder().decode(pem)) ?? [];
  return new Uint8Array(Buffer.from(text.replace(/\s/g, ""), "base64"));
}

/** A secret as it may lie somewhere: as it is, or in one of the usual alphabets. */
function formsOf(secret: string | Uint8Array): Buffer[] {
  if (typeof secret === "string")
    return [secret, encodeURIComponent(secret)].map((one) => Buffer.from(one));
  const raw = Buffer.from(secret);
  const texts = [raw.toString("hex"), raw.toString("hex").toUpperCase(), toBase32(secret)];
  const inner = raw.subarray(0, 30).toString("base64");
  return [
    raw,
    ...[...texts, inner, inner.replaceAll("+", "-").replaceAll("/", "_")].map((one) =>
      Buffer.from(one),
    ),
  ];
}

/** Content with, behind it, the same without line ends: PEM breaks what it holds. */
function unbroken(content: Buffer): Buffer {
  const text = content.toString("latin1").replace(/\\n|\s/g, "");
  return Buffer.concat([content, Buffer.from(text, "latin1")]);
}

/** Which canaries are found where. */
function found(
  canaries: Canaries,
  places: Readonly<Record<string, Uint8Array | string>>,
): string[] {
  return Object.entries(places).flatMap(([place, content]) => {
    const held = unbroken(Buffer.from(content as string));
    return Object.entries(canaries)
      .filter(([, secret]) => formsOf(secret).some((form) => held.includes(form)))
      .map(([name]) => `${name} in ${place}`);
  });
}

/** Everything the pool shows to who may look, and answers to who errs. */
async function shown(pool: PoolProcess, canaries: Canaries): Promise<Record<string, string>> {
  const texts = Object.values(canaries).filter((one) => typeof one === "string");
  const answers: string[] = [];
  for (const text of texts) {
    const quoted = encodeURIComponent(text);
    const header = {
      authorization: `Bearer gpo_${quoted}`,
      "x-api-key": quoted,
      cookie: `a=${quoted}`,
    };
    for (const [method, path, body] of [
      ["GET", `/api/v1/keys/gpk_abcdefgh_${quoted}`],
      ["GET", `/api/v1/nodes?q=${quoted}&cursor=${quoted}`],
      ["POST", "/api/v1/auth/token", { user: "ann", password: `${text}x` }],
      ["POST", "/api/v1/auth/refresh", { refresh_token: `gpr_${text}` }],
      ["POST", "/api/v1/tokens", { uses: `GP1.${text}` }],
    ] as const) {
      const answer = await pool.ask(method, path, body, header);
      answers.push(JSON.stringify([answer.status, answer.body, [...answer.headers]]));
    }
  }
  const { stdout: status } = await pool.cli("status", "--json");
  const { stdout: config } = await pool.cli("config", "show", "--origin", "--json");
  const wrong = await pool.cli("status", "--token", "gpo_wrong", "--json");
  return {
    "error answers": answers.join("\n"),
    "status --json": status,
    "config show": config,
    "a refusal of the command line": wrong.stderr + wrong.stdout,
    metrics: await (await fetch(`${pool.url}/metrics`)).text(),
    environment: readFileSync(`/proc/${pool.pid}/environ`, "utf8"),
    log: pool.log(),
  };
}

/** A copy of the database, as a backup makes it. */
function backupOf(pool: PoolProcess): Uint8Array {
  const copy = join(pool.folder, "copy.db");
  using database = new Database(join(pool.dataDir, "pool.db"), { readonly: true });
  database.run(`VACUUM INTO '${copy}'`);
  return readFileSync(copy);
}

/** What the end by a signal leaves in the folder a process ran in. */
function coresIn(folder: string): Record<string, Uint8Array> {
  const names = readdirSync(folder).filter((name) => name.startsWith("core"));
  const large = names.find((name) => statSync(join(folder, name)).size > CORE_BYTES_MAX);
  if (large) throw new Error(`${large} is so large that the memory must be in it`);
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(folder, name))]));
}

/** A shell that holds a word in memory and crashes: the word must be found, or nobody could find any. */
async function coreOfAShell(folder: string): Promise<Record<string, Uint8Array>> {
  mkdirSync(folder);
  const script = 'canary="canary-of-a-shell"; kill -SEGV $$';
  const shell = Bun.spawn(["prlimit", "--core=unlimited", "sh", "-c", script], { cwd: folder });
  await shell.exited;
  return coresIn(folder);
}

/** A pool whose service gets its secrets as the units hand them over, and a node of it. */
async function poolWithCanaries(folder: string, database: "sqlite" | "postgres") {
  if (database === "postgres") {
    const url = (await postgresDatabase()).replace("galaxy@", `galaxy:${DATABASE_PASSWORD}@`);
    writeFileSync(join(folder, "database.url"), url, { mode: 0o600 });
  }
  const pool = await PoolProcess.start({
    config: { logging: { level: "TRACE" } },
    environment: { CREDENTIALS_DIRECTORY: folder },
    under: ["prlimit", "--core=unlimited", "env", "--chdir", folder],
  });
  const joinToken = await pool.token();
  const node = await NodeProcess.joined(pool, "canary", { token: joinToken });
  await node.run();
  await node.proves(3);
  const canaries = await plant(pool, node, joinToken);
  const end = async () => {
    await node[Symbol.asyncDispose]();
    await pool[Symbol.asyncDispose]();
  };
  return { pool, node, canaries, [Symbol.asyncDispose]: end };
}

const KINDS = [
  ["sqlite", false],
  ["postgres", postgresSkipped !== undefined],
] as const;

describe("twelve secrets of a pool that runs", () => {
  for (const [database, isSkipped] of KINDS)
    test.skipIf(isSkipped)(`are nowhere but in their files, on ${database}`, async () => {
      using folder = temporaryFolder();
      await using at = await poolWithCanaries(folder.path, database);
      const { pool, node, canaries } = at;
      expect(Object.keys(canaries)).toHaveLength(12);
      const files = Object.values(keyFiles(pool, node)).map((content) => Buffer.from(content));
      const known = found(canaries, { files: Buffer.concat(files) });
      expect(known).toHaveLength(7);
      expect(found(canaries, await shown(pool, canaries))).toEqual([]);
      if (database === "sqlite") expect(found(canaries, { backup: backupOf(pool) })).toEqual([]);
      expect(readFileSync(`/proc/${node.pid}/coredump_filter`, "utf8").trim()).toBe("00000000");
    });

  test("lie in files and folders of their owner alone", async () => {
    using folder = temporaryFolder();
    await using at = await poolWithCanaries(folder.path, "sqlite");
    const found = readdirSync(at.pool.dataDir, { recursive: true, withFileTypes: true });
    const modes = found.map((entry) => {
      const { mode } = statSync(join(entry.parentPath, entry.name));
      return `${entry.isDirectory() ? "folder" : "file"} ${(mode & 0o777).toString(8)}`;
    });
    expect([...new Set(modes)].sort()).toEqual(["file 600", "folder 700"]);
    chmodSync(join(at.pool.dataDir, "operator.token"), 0o644);
    await at.pool.stop();
    const { code, stderr } = await at.pool.cli("serve");
    expect([code, stderr]).toEqual([1, expect.stringContaining("chmod 600")]);
  });
});

describe("a pool that crashes", () => {
  test.each(["SIGSEGV", "SIGABRT"] as const)("by %s leaves no secret in a core", async (signal) => {
    using folder = temporaryFolder();
    const shell = await coreOfAShell(join(folder.path, "shell"));
    if (Object.keys(shell).length === 0) {
      const pattern = readFileSync("/proc/sys/kernel/core_pattern", "utf8").trim();
      process.stderr.write(`(skip) no core is left here: core_pattern is ${pattern}\n`);
      return;
    }
    const canary = { canary: "canary-of-a-shell" };
    expect(found(canary, shell)).toEqual([expect.stringContaining("canary in core")]);

    await using at = await poolWithCanaries(folder.path, "sqlite");
    at.pool.signal(signal);
    await at.pool.ended();
    const cores = coresIn(folder.path);
    expect(Object.keys(cores)).toHaveLength(1);
    expect(found(at.canaries, { ...cores, log: at.pool.log() })).toEqual([]);
  });
});

/** What a pool and a node keep as files that only they read. */
function keyFiles(pool: PoolProcess, node: NodeProcess): Record<string, Uint8Array> {
  const paths = readdirSync(join(pool.dataDir, "keys"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const all = [...paths, join(pool.dataDir, "operator.token"), join(node.data, "node.key")];
  return Object.fromEntries(all.map((path) => [path, readFileSync(path)]));
}
