import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { NodeProcess } from "#test/support/node-process.ts";
import { PoolProcess } from "#test/support/pool-process.ts";
import { rotateUnderLoad } from "#test/support/rotating.ts";

setDefaultTimeout(180_000);

const PYTHON = "/usr/bin/python3";
const ASK = `
import grpc, sys
root = open(sys.argv[1], "rb").read()
name = [("grpc.ssl_target_name_override", "pool.galaxy-pool.internal")]
channel = grpc.secure_channel(sys.argv[2], grpc.ssl_channel_credentials(root), options=name)
ask = channel.unary_unary("/galaxy.pool.v1.Enrolment/GetAuthority")
print(len(ask(b"", timeout=10)))
`;

async function output(...words: readonly string[]): Promise<string> {
  const run = Bun.spawn([...words], { stdio: ["ignore", "pipe", "pipe"] });
  const [out, err] = await Promise.all([run.stdout.text(), run.stderr.text()]);
  return (await run.exited) === 0 ? out : `failed: ${err}`;
}

const hasPythonGrpc =
  existsSync(PYTHON) && Bun.spawnSync([PYTHON, "-c", "import grpc"]).exitCode === 0;

describe("a rotation of the root", () => {
  test("under live nodes, with a kill right after it, costs no slot", async () => {
    const { rotations, slots, faults } = await rotateUnderLoad({
      nodes: 3,
      rotations: 2,
      kills: true,
    });
    expect(faults).toEqual([]);
    expect(rotations).toBe(2);
    expect(slots).toBeGreaterThan(0);
  });

  test("is shown, listed, refused twice and ended on the command line", async () => {
    await using pool = await PoolProcess.start();
    const before = await pool.json("cert", "show");
    const node = await NodeProcess.joined(pool, "kitchen", { token: await pool.token() });
    const rotated = await pool.json("cert", "rotate");
    expect(rotated.previous).toMatchObject({ pin: before.root.pin, nodes: 1 });
    expect((await pool.json("cert", "list")).items).toMatchObject([{ node_id: node.id }]);
    expect((await pool.cli("cert", "rotate")).stderr).toContain("authority.rotating");
    expect((await pool.cli("cert", "finish")).stderr).toContain("authority.root_needed");
    await node.json("status"); // Any connection fetches the new root.
    expect((await pool.json("cert", "list")).items).toEqual([]);
    expect((await pool.json("cert", "finish")).previous).toBeNull();
  });

  test("keeps what stock clients with the old root see, by name and by address", async () => {
    await using pool = await PoolProcess.start();
    const { root_pem } = await pool.told("GET", "/api/v1/authority");
    const root = join(pool.folder, "old-root.pem");
    writeFileSync(root, root_pem);
    await pool.json("cert", "rotate");
    for (const host of ["localhost", "127.0.0.1"]) {
      const url = `https://${host}:${pool.securePort}/api/v1/authority`;
      const asked = fetch(url, { tls: { ca: root_pem } }).then((answer) => answer.text());
      expect(await asked).toContain("vouched_pem");
      if (!hasPythonGrpc) process.stderr.write("(skip) no Python gRPC: scripts/needs.sh\n");
      else
        expect(
          Number(await output(PYTHON, "-c", ASK, root, `${host}:${pool.grpcPort}`)),
        ).toBeGreaterThan(500);
    }
    await pool.json("cert", "finish", "--force");
    const gone = fetch(`https://localhost:${pool.securePort}/livez`, { tls: { ca: root_pem } });
    await expect(gone).rejects.toThrow(/certificate/);
  });
});
