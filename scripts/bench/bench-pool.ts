import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { settled, TestClock } from "#test/support/clock.ts";
import { poolModules } from "@/app.ts";
import { loadConfiguration } from "@/cli/configuration.ts";
import { openLog } from "@/cli/logging.ts";
import { systemCaller } from "@/core/caller.ts";
import type { PoolId } from "@/core/ids.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { Kernel } from "@/kernel/kernel.ts";
import { type AnyModule, defineModule } from "@/kernel/module.ts";
import type { CertificatePair } from "@/ports/certificates.ts";
import { sha256, signingKey } from "@/std/crypto.ts";

/** What a pool of the bench is started with. */
export interface PoolTerms {
  /** Where its data folder lies; it is made when it is not there. */
  readonly folder: string;
  /** `turned`: time stands still until the bench turns it. */
  readonly clock: "turned" | "system";
  /** Where a turned clock begins; now when left out. A pool that ran before refuses to go back. */
  readonly startMs?: number;
  /** `key=value`. */
  readonly set?: readonly string[];
}

/** A node of the bench and how it proves who it is. */
export interface Member {
  readonly seed: Uint8Array;
  readonly identity: CertificatePair;
}

/** What everybody needs to know to reach a pool. */
export interface Reached {
  readonly grpc: string;
  readonly http: string;
  readonly rootPem: string;
  readonly poolKey: Uint8Array;
  readonly slot: number;
  readonly slotSeconds: number;
}

const ROOT = join(import.meta.dir, "../..");
const SYSTEM = systemCaller("bench");
const TOGETHER = 500;
const SETTINGS = [
  "http.port=0",
  "http.secure_port=0",
  "server.address=127.0.0.1:0",
  "server.max_connections=10000",
  "registry.max_nodes=10000",
];

/** The seed of the key of node number so and so. */
export function seedOf(number: number): Uint8Array {
  return sha256(new TextEncoder().encode(`bench node ${number}`));
}

/** The folder of the data, and the configuration beside it. */
export function placesIn(folder: string) {
  return { data: join(folder, "pool"), config: join(folder, "pool.yaml") };
}

/** Every module of the pool, in this process; only time may be the bench's own. */
export class BenchPool {
  readonly kernel: Kernel;
  readonly clock: TestClock | undefined;

  static async open({ folder, clock: kind, startMs, set = [] }: PoolTerms): Promise<BenchPool> {
    const clock = kind === "turned" ? new TestClock(startMs ?? Date.now()) : undefined;
    const { configuration } = configurationIn(folder, set);
    const log = openLog(configuration);
    const isPostgres = String(configuration.value("database.url")).startsWith("postgres");
    const modules = withClock(poolModules(isPostgres ? "postgres" : "sqlite"), clock);
    const kernel = await Kernel.start(modules, { log, configuration, onFatal: endWith });
    return new BenchPool(kernel, clock);
  }

  private constructor(kernel: Kernel, clock: TestClock | undefined) {
    this.kernel = kernel;
    this.clock = clock;
  }

  get pool(): PoolId {
    const [first] = this.kernel.service("registry").listPools();
    if (!first) throw new Error("there is no pool");
    return first.id;
  }

  reached(pool = this.pool): Reached {
    const { slot, slotSeconds } = this.kernel.service("poot").poolTime();
    return {
      grpc: this.kernel.service("grpc").address(),
      http: this.kernel.service("http").urls().plain[0] ?? "",
      rootPem: this.kernel.service("authority").rootPem,
      poolKey: this.kernel.service("registry").getPool(pool).publicKey,
      slot,
      slotSeconds,
    };
  }

  /** Nodes number `from` and the next ones become members. */
  async admit(from: number, count: number, pool = this.pool): Promise<void> {
    const registry = this.kernel.service("registry");
    for (let at = from; at < from + count; at += TOGETHER) {
      const numbers = numbersFrom(at, Math.min(TOGETHER, from + count - at));
      await Promise.all(
        numbers.map((number) => {
          const { publicKey } = signingKey(seedOf(number));
          const about = { name: `node ${number}`, specialization: "storage", pool };
          return registry.admit(SYSTEM, { ...about, publicKey });
        }),
      );
    }
  }

  /** Certificates for nodes number `from` and the next ones. */
  async certify(from: number, count: number): Promise<Member[]> {
    const [authority, registry] = [
      this.kernel.service("authority"),
      this.kernel.service("registry"),
    ];
    const certificates = createCertificates();
    const members: Member[] = [];
    for (const number of numbersFrom(from, count)) {
      const seed = seedOf(number);
      const node = registry.findNodeByKey(signingKey(seed).publicKey);
      if (!node) throw new Error(`node ${number} is no member`);
      const nowMs = this.clock?.now() ?? Date.now();
      const { certificate } = await authority.issueNode(node.id, node.publicKey, nowMs);
      const certificatePem = certificates.toPem(certificate);
      members.push({
        seed,
        identity: { certificatePem, privateKeyPem: certificates.privateKeyPem(seed) },
      });
    }
    return members;
  }

  /** Turns time to the middle of the next slot, and finishes what that set off. */
  async nextSlot(): Promise<number> {
    const poot = this.kernel.service("poot");
    if (!this.clock) throw new Error("the system's clock cannot be turned");
    const { nowMs, slotSeconds } = poot.poolTime();
    const slotMs = slotSeconds * 1000;
    const toMiddleMs = slotMs * 1.5 - (nowMs % slotMs);
    await this.clock.pass(toMiddleMs, slotMs / 20);
    await poot.closeDue();
    await settled();
    return poot.poolTime().slot;
  }

  stop(): Promise<void> {
    return this.kernel.stop();
  }
}

export function numbersFrom(from: number, count: number): number[] {
  return Array.from({ length: count }, (_, at) => from + at);
}

function configurationIn(folder: string, set: readonly string[]) {
  const { data, config } = placesIn(folder);
  mkdirSync(dirname(config), { recursive: true });
  writeFileSync(config, `storage:\n  data_dir: ${JSON.stringify(data)}\n`);
  const words = ["src/main.ts", "init", "--config", config, "--json"];
  const first = Bun.spawnSync([process.execPath, ...words], { cwd: ROOT, env: {} });
  if (first.exitCode !== 0) throw new Error(`the pool was not made: ${first.stderr}`);
  const log = `logging.file=${join(folder, "pool.log")}`;
  return loadConfiguration({ config, set: [...SETTINGS, log, ...set] }, {});
}

function withClock(modules: readonly AnyModule[], clock: TestClock | undefined) {
  if (!clock) return modules;
  const turned = defineModule({ name: "clock", needs: [], provides: "clock", start: () => clock });
  return modules.map((module) => (module.provides === "clock" ? turned : module));
}

function endWith(fault: unknown): void {
  console.error(fault);
  process.exit(70);
}
