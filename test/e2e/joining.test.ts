import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { connect } from "node:http2";
import { join } from "node:path";
import type { Ran } from "#test/support/executable.ts";
import { NodeProcess } from "#test/support/node-process.ts";
import { PoolProcess } from "#test/support/pool-process.ts";
import { RecordingPool } from "#test/support/recording-pool.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { toBase32 } from "@/std/bytes.ts";

setDefaultTimeout(60_000);
const certificates = createCertificates();
let pool: PoolProcess;

beforeAll(async () => {
  pool = await PoolProcess.start({ config: { registry: { max_nodes: 3 } } });
});

afterAll(() => pool[Symbol.asyncDispose]());

async function tokenOf(name: string, uses = 1): Promise<string> {
  return pool.token({ uses, pool: await pool.poolNamed(name) });
}

const tokenId = (token: string): string => token.split(".")[3] ?? "";

function codeIn({ stderr }: Ran): string {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  return (JSON.parse(last) as { error: { code: string } }).error.code;
}

describe("a machine joins", () => {
  test.each([
    ["by name", "localhost"],
    ["by its IPv4 address", "127.0.0.1"],
    ["by its IPv6 address", "::1"],
  ])("%s", async (_, host) => {
    const pool_id = await pool.poolNamed(`by ${host}`);
    const token = await pool.token({ pool: pool_id });
    const more = ["--specialization", "storage", "--org", "acme", "--meta", "rack=7"];
    await using node = await NodeProcess.joined(pool, `at ${host}`, { token, host, more });
    await node.run();
    await node.proves(1);

    expect(await pool.told("GET", `/api/v1/nodes/${node.id}`)).toMatchObject({
      pool_id,
      name: `at ${host}`,
      specialization: "storage",
      org: "acme",
      metadata: { rack: "7" },
      state: "alive",
    });
  });

  test("and keeps its key where nobody else can read it", async () => {
    const token = await tokenOf("keys");
    const { data } = await NodeProcess.joined(pool, "keys", { token });
    expect(statSync(join(data, "node.key")).mode & 0o077).toBe(0);
  });

  test("again with the same folder, and is the same node", async () => {
    const token = await tokenOf("again", 2);
    const node = await NodeProcess.joined(pool, "again", { token });
    const { code, stdout } = await node.join({ token });
    expect([code, (JSON.parse(stdout) as { node_id: string }).node_id]).toEqual([0, node.id]);
  });
});

describe("a machine is refused", () => {
  test("with a token that was used, revoked, or has expired", async () => {
    const pool_id = await pool.poolNamed("refusing");
    const used = await pool.token({ pool: pool_id });
    await NodeProcess.joined(pool, "first", { token: used });
    const revoked = await pool.token({ pool: pool_id });
    await pool.told("DELETE", `/api/v1/tokens/${tokenId(revoked)}`);
    const expired = await pool.token({ pool: pool_id });
    using database = new Database(join(pool.dataDir, "pool.db"));
    database.run("UPDATE join_token SET expires_at_ms = 1 WHERE id = ?", [tokenId(expired)]);

    for (const token of [used, revoked, expired]) {
      const ran = await new NodeProcess(pool, "second").join({ token });
      expect([ran.code, codeIn(ran)]).toEqual([1, "enrolment.refused"]);
    }
  });

  test("when the pool is full, and a member still may come back", async () => {
    const token = await tokenOf("full", 4);
    const names = ["full one", "full two", "full three"];
    const joins = names.map((name) => NodeProcess.joined(pool, name, { token }));
    const [first] = await Promise.all(joins);

    const ran = await new NodeProcess(pool, "full four").join({ token });
    expect([ran.code, codeIn(ran)]).toEqual([1, "pool.full"]);
    await using back = first;
    await back?.run();
    await back?.proves(1);
  });

  test("with a token of which a letter is wrong, before anybody is asked", async () => {
    const token = await tokenOf("typo");
    const mistyped = token.replace(/.$/, (last) => (last === "0" ? "1" : "0"));
    const ran = await new NodeProcess(pool, "typo").join({ token: mistyped, port: 1 });
    expect([ran.code, codeIn(ran)]).toEqual([1, "token.malformed"]);
  });

  test("when nobody answers", async () => {
    const token = await tokenOf("nobody");
    const ran = await new NodeProcess(pool, "nobody").join({ token, port: 1 });
    expect([ran.code, codeIn(ran)]).toEqual([3, "pool.unreachable"]);
  });
});

describe("somebody in between", () => {
  async function joinAt(between: RecordingPool, token: string): Promise<Ran> {
    const node = new NodeProcess(pool, "careful");
    const ran = await node.join({ token, port: between.port });
    expect(existsSync(join(node.data, "certificate.pem"))).toBe(false);
    return ran;
  }

  /** Nothing but the public question for the authority, which is empty. */
  function expectNothingSent(between: RecordingPool, token: string): void {
    expect(between.heard.map(({ path, body }) => [path, body.toString("hex")])).toEqual([
      ["/galaxy.pool.v1.Enrolment/GetAuthority", "0000000000"],
    ]);
    const [, poolId = "", , id = "", secret = ""] = token.split(".");
    for (const word of [poolId, id, secret, "careful"])
      expect(between.everything()).not.toContain(word);
  }

  test("with an authority of their own is told nothing, and both pins are shown", async () => {
    const other = await certificates.createRoot("other", Date.now() - 1e6, Date.now() + 1e9);
    const rootDer = certificates.toDer(other.certificatePem);
    await using between = await RecordingPool.open(rootDer);
    const token = await pool.token();

    const ran = await joinAt(between, token);
    expect([ran.code, codeIn(ran)]).toEqual([1, "pin.differs"]);
    expect(ran.stderr).toContain(token.split(".")[2] ?? "");
    expect(ran.stderr).toContain(toBase32(certificates.read(rootDer).spkiHash));
    expectNothingSent(between, token);
  });

  test("with our authority but not its certificate is told nothing", async () => {
    const { root_pem } = await pool.told("GET", "/api/v1/authority");
    await using between = await RecordingPool.open(certificates.toDer(root_pem));
    const token = await pool.token();

    const ran = await joinAt(between, token);
    expect([ran.code, codeIn(ran)]).toEqual([1, "pool.untrusted"]);
    expectNothingSent(between, token);
  });

  test("would be seen by this test to hear a secret, if it were told one", async () => {
    await using between = await RecordingPool.open(Buffer.from("no root"));
    const client = connect(`https://127.0.0.1:${between.port}`, { rejectUnauthorized: false });
    const stream = client.request({ ":method": "POST", ":path": "/", authorization: "secret one" });
    stream.end("secret two");
    await once(stream, "response");
    client.close();
    expect(between.everything()).toMatch(/secret one.*secret two/s);
  });
});
