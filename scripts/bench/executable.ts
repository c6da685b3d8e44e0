import { existsSync } from "node:fs";
import { join } from "node:path";
import { numbersFrom, placesIn, type Reached, seedOf } from "./bench-pool.ts";
import { Child } from "./child.ts";
import { openConnected } from "./connected-child.ts";
import { type BenchOptions, type Figure, median } from "./figure.ts";
import { openPool } from "./pool-child.ts";
import { cpuMs, freePort, residentBytes, until } from "./processes.ts";

const ROOT = join(import.meta.dir, "../..");
const NODES = 100;
const NAME = `galaxy-pool-linux-${process.arch === "arm64" ? "arm64" : "x64"}`;

/** Resident memory of the executable with connected nodes. */
export const resident: Figure = {
  name: "resident",
  async measure(options) {
    const place = await prepare(options);
    const found: number[] = [];
    for (let start = 0; start < (options.short ? 2 : 5); start++) {
      await using pool = await Running.start(place);
      await using _ = await connect(place, pool);
      await Bun.sleep(options.short ? 3_000 : 10_000);
      found.push(residentBytes(pool.pid) / 1e6);
    }
    return [
      {
        name: `resident memory with ${NODES} connected nodes`,
        value: median(found),
        unit: "MB",
        goal: { of: "value", most: 105 },
        notes: [
          `VmRSS of the compiled executable 10 s after the last of ${NODES} nodes connected; median of ${found.length} starts: ${found.map((mb) => mb.toFixed(1)).join(", ")}`,
        ],
      },
    ];
  },
};

/** From the start of the process to readiness. */
export const ready: Figure = {
  name: "ready",
  async measure(options) {
    const place = await prepare(options);
    const starts: number[] = [];
    const logged: number[] = [];
    const versions: number[] = [];
    for (let start = 0; start < (options.short ? 3 : 9); start++) {
      const beganMs = performance.now();
      Bun.spawnSync([place.executable, "version"], { stdout: "ignore" });
      const versionMs = performance.now() - beganMs;
      await using pool = await Running.start(place);
      if (start < 2) continue; // The first ones read the executable from the disk.
      versions.push(versionMs);
      starts.push(pool.readyMs);
      logged.push(pool.firstLogMs);
    }
    return [
      {
        name: "start to ready",
        value: median(starts),
        unit: "ms",
        goal: { of: "value", most: 150 },
        notes: [
          `compiled executable, from spawn to /readyz 200; median of ${starts.length}: ${starts.map((ms) => ms.toFixed(0)).join(", ")}`,
          `of it: loading the program and printing its version ${median(versions).toFixed(0)} ms (a process of its own), to the first line of the log ${median(logged).toFixed(0)} ms`,
        ],
      },
    ];
  },
};

/** What the executable costs while nothing but heartbeats happens. */
export const idle: Figure = {
  name: "idle",
  async measure(options) {
    const place = await prepare(options);
    await using pool = await Running.start(place);
    await using _ = await connect(place, pool);
    await Bun.sleep(options.short ? 3_000 : 15_000);
    const forMs = options.short ? 15_000 : 60_000;
    const [before, beganMs] = [cpuMs(pool.pid), performance.now()];
    await Bun.sleep(forMs);
    const share = (cpuMs(pool.pid) - before) / (performance.now() - beganMs);
    return [
      {
        name: `CPU with ${NODES} connected nodes`,
        value: share * 100,
        unit: "% of a core",
        goal: { of: "value", most: 1 },
        notes: [
          `compiled executable, slots of 30 s in real time, utime and stime over ${forMs / 1000} s`,
        ],
      },
    ];
  },
};

/** A folder with a pool of nodes, and the executable that runs it. */
interface Place {
  readonly folder: string;
  readonly executable: string;
  readonly identities: readonly { certificatePem: string; privateKeyPem: string }[];
  readonly reached: Reached;
}

let prepared: Promise<Place> | undefined;

function prepare(options: BenchOptions): Promise<Place> {
  prepared ??= prepareOnce(options);
  return prepared;
}

async function prepareOnce({ folder: all }: BenchOptions): Promise<Place> {
  const folder = join(all, "executable");
  await using pool = await Child.start(openPool, {
    file: join(import.meta.dir, "pool-child.ts"),
    terms: { folder, clock: "system" },
  });
  await pool.ask("admit", { from: 1, count: NODES });
  const members = await pool.ask("certify", { from: 1, count: NODES });
  const reached = await pool.ask("reach", null);
  await pool.ask("stop", null);
  const identities = members.map(({ identity }) => identity);
  return { folder, executable: await build(all), identities, reached };
}

async function build(folder: string): Promise<string> {
  const target = NAME.slice(NAME.lastIndexOf("-") + 1);
  const command = [process.execPath, "scripts/build.ts", "--only", target, "--out", folder];
  const built = Bun.spawnSync(command, { cwd: ROOT, stdout: "ignore", stderr: "pipe" });
  const file = join(folder, NAME);
  if (!existsSync(file)) throw new Error(`the build failed: ${built.stderr}`);
  return file;
}

async function connect({ identities, reached }: Place, { grpc }: Running) {
  const { rootPem, poolKey, slotSeconds } = reached;
  const client = await Child.start(openConnected, {
    file: join(import.meta.dir, "connected-child.ts"),
    terms: {
      seeds: numbersFrom(1, NODES).map(seedOf),
      identities,
      address: grpc,
      rootPem,
      poolKey,
      slotSeconds,
    },
  });
  await client.ask("live", null);
  return client;
}

/** The executable at work. */
class Running implements AsyncDisposable {
  readonly grpc: string;
  readonly readyMs: number;
  /** From the spawn to its first line in the log. */
  readonly firstLogMs: number;
  readonly #process: Bun.Subprocess<"ignore", "pipe", "inherit">;

  static async start({ folder, executable }: Place): Promise<Running> {
    const { config } = placesIn(folder);
    const [http, grpc] = [await freePort(), await freePort()];
    const set = [
      `http.port=${http}`,
      "http.secure_port=0",
      `server.address=127.0.0.1:${grpc}`,
      "server.max_connections=10000",
      "registry.max_nodes=10000",
    ];
    const flags = set.flatMap((pair) => ["--set", pair]);
    const [beganMs, spawnedAtMs] = [performance.now(), Date.now()];
    const started = Bun.spawn([executable, "serve", "--config", config, ...flags], {
      stdio: ["ignore", "pipe", "inherit"],
      env: { NODE_ENV: "production" },
    });
    const isReady = async (): Promise<true | undefined> => {
      const answer = await fetch(`http://127.0.0.1:${http}/readyz`).catch(() => undefined);
      return answer?.status === 200 ? true : undefined;
    };
    await until("the executable is ready", isReady, { everyMs: 1 });
    const readyMs = performance.now() - beganMs;
    const reader = started.stdout.getReader();
    const { value } = await reader.read();
    const first = new TextDecoder().decode(value).split("\n")[0] ?? "{}";
    const { time } = JSON.parse(first) as { time: number };
    return new Running(started, `127.0.0.1:${grpc}`, { readyMs, firstLogMs: time - spawnedAtMs });
  }

  private constructor(
    started: Bun.Subprocess<"ignore", "pipe", "inherit">,
    grpc: string,
    times: { readonly readyMs: number; readonly firstLogMs: number },
  ) {
    this.#process = started;
    this.grpc = grpc;
    this.readyMs = times.readyMs;
    this.firstLogMs = times.firstLogMs;
    process.on("exit", () => this.#process.kill("SIGKILL"));
  }

  get pid(): number {
    return this.#process.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill("SIGTERM");
    await this.#process.exited;
  }
}
