import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { BenchAuthority } from "./certificates.ts";
import { freePort, until } from "./processes.ts";

const ROOT = join(import.meta.dir, "../..");

/** One etcd with mTLS and its data on the disk that is measured. */
export class Etcd implements AsyncDisposable {
  readonly #process: Bun.Subprocess;
  readonly address: string;

  /** Installs Debian's etcd where it is missing, and starts it on free ports of the loopback. */
  static async start(folder: string, authority: BenchAuthority): Promise<Etcd> {
    const needs = Bun.spawnSync(["sh", "scripts/needs.sh", "etcd-server"], { cwd: ROOT });
    if (needs.exitCode !== 0) throw new Error(`etcd cannot be installed: ${needs.stderr}`);
    mkdirSync(folder, { recursive: true });
    const files = writeFiles(folder, authority);
    const [client, peer] = [await freePort(), await freePort()];
    const etcd = new Etcd(argumentsOf({ folder, client, peer, ...files }), client);
    await until("etcd listens", () => reaches(client));
    return etcd;
  }

  private constructor(args: readonly string[], port: number) {
    this.address = `127.0.0.1:${port}`;
    this.#process = Bun.spawn(["etcd", ...args], { stdio: ["ignore", "ignore", "ignore"] });
    process.on("exit", () => this.#process.kill());
  }

  get pid(): number {
    return this.#process.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill();
    await this.#process.exited;
  }
}

interface Places {
  readonly folder: string;
  readonly client: number;
  readonly peer: number;
  readonly root: string;
  readonly certificate: string;
  readonly key: string;
}

function argumentsOf({ folder, client, peer, root, certificate, key }: Places): string[] {
  const peerUrl = `http://127.0.0.1:${peer}`;
  const clientUrl = `https://127.0.0.1:${client}`;
  return [
    ["--name", "bench"],
    ["--data-dir", join(folder, "data")],
    ["--listen-client-urls", clientUrl],
    ["--advertise-client-urls", clientUrl],
    ["--listen-peer-urls", peerUrl],
    ["--initial-advertise-peer-urls", peerUrl],
    ["--initial-cluster", `bench=${peerUrl}`],
    ["--client-cert-auth"],
    ["--trusted-ca-file", root],
    ["--cert-file", certificate],
    ["--key-file", key],
    ["--enable-grpc-gateway=false"],
    ["--logger", "zap"],
    ["--log-level", "error"],
  ].flat();
}

function writeFiles(folder: string, { rootPem, server }: BenchAuthority) {
  const [root, certificate, key] = ["root.pem", "server.pem", "server.key"].map((name) =>
    join(folder, name),
  ) as [string, string, string];
  writeFileSync(root, rootPem);
  writeFileSync(certificate, server.certificatePem);
  writeFileSync(key, server.privateKeyPem, { mode: 0o600 });
  return { root, certificate, key };
}

async function reaches(port: number): Promise<true | undefined> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
    socket.end();
    return true;
  } catch {
    return undefined;
  }
}
