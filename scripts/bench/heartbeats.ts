import { mkdtempSync } from "node:fs";
import { join } from "node:path";
import { numbersFrom, seedOf } from "./bench-pool.ts";
import { type BenchAuthority, createAuthority, SERVER_NAME } from "./certificates.ts";
import { Child } from "./child.ts";
import { openClient, type Side } from "./client-child.ts";
import { POOL_NAME, STREAM_PATH } from "./connected-child.ts";
import { ECHO_PATH, openEcho } from "./echo-child.ts";
import { Etcd } from "./etcd.ts";
import { type BenchOptions, type Figure, type Measured, median } from "./figure.ts";
import type { Burst } from "./lines.ts";
import { openPool } from "./pool-child.ts";
import { cpuMs } from "./processes.ts";

export const HEARTBEAT_PATH = "/galaxy.pool.v1.Registry/Heartbeat";
const CLIENTS = 2;
const NODES_PER_CLIENT = 250;
const WINDOW = 64;

type Client = Child<Awaited<ReturnType<typeof openClient>>>;

/** What one side did in one round. */
interface Round {
  readonly perSecond: number;
  readonly serverCpuMs: number;
}

/** Heartbeats in calls of their own, beside a bare echo server. */
export const unary: Figure = {
  name: "unary",
  async measure(options) {
    const authority = await createAuthority(CLIENTS * NODES_PER_CLIENT);
    await using echo = await Child.start(openEcho, {
      file: join(import.meta.dir, "echo-child.ts"),
      terms: { rootPem: authority.rootPem, server: authority.server },
    });
    const address = `127.0.0.1:${await echo.ask("port", null)}`;
    await using world = await World.open(options, authority, { address, pid: echo.pid });
    const paths = { pool: HEARTBEAT_PATH, baseline: ECHO_PATH };
    const rounds = await world.rounds(options, (client, side) =>
      client.ask("calls", { side, path: paths[side] }),
    );
    return [
      measured("heartbeats accepted, one call each", "bare grpc-js echo", {
        ...rounds,
        notes: [`the same messages of ${world.messageBytes} bytes to both`],
        least: 0.5,
      }),
    ];
  },
};

/** Heartbeats over one stream per node, beside etcd's lease keep-alives. */
export const stream: Figure = {
  name: "stream",
  async measure(options) {
    const authority = await createAuthority(CLIENTS * NODES_PER_CLIENT);
    await using etcd = await Etcd.start(join(options.folder, "etcd"), authority);
    await using world = await World.open(options, authority, etcd);
    for (const client of world.clients) {
      await client.ask("lease", null);
      await client.ask("stream", STREAM_PATH);
    }
    const rounds = await world.rounds(options, (client, side) => client.ask("writes", side));
    return [
      measured("heartbeats accepted, one stream per node", "etcd lease keep-alives", {
        ...rounds,
        notes: ["etcd renews a lease in memory; it checks no signature of its own"],
        least: 0.5,
      }),
    ];
  },
};

/** The pool, what it is compared with, and the clients of both. */
export class World implements AsyncDisposable {
  readonly clients: readonly Client[];
  readonly #pool: Child<Awaited<ReturnType<typeof openPool>>>;
  readonly #pids: Readonly<Record<Side, number>>;
  readonly folder: string;
  messageBytes = 0;

  get poolPid(): number {
    return this.#pool.pid;
  }

  /** Where the pool's HTTP is. */
  async http(): Promise<string> {
    return (await this.#pool.ask("reach", null)).http;
  }

  static async open(
    { folder }: BenchOptions,
    authority: BenchAuthority,
    baseline: { readonly address: string; readonly pid: number },
    window = WINDOW,
  ): Promise<World> {
    const own = mkdtempSync(join(folder, "heartbeats-"));
    const pool = await Child.start(openPool, {
      file: join(import.meta.dir, "pool-child.ts"),
      terms: { folder: own, clock: "turned" },
    });
    await pool.ask("admit", { from: 1, count: CLIENTS * NODES_PER_CLIENT });
    const { grpc, rootPem, poolKey, slotSeconds } = await pool.ask("reach", null);
    const clients: Client[] = [];
    for (const number of numbersFrom(0, CLIENTS)) {
      const from = number * NODES_PER_CLIENT;
      const members = await pool.ask("certify", { from: from + 1, count: NODES_PER_CLIENT });
      const identities = members.map(({ identity }) => identity);
      const certified = authority.clients.slice(from, from + NODES_PER_CLIENT);
      clients.push(
        await Child.start(openClient, {
          file: join(import.meta.dir, "client-child.ts"),
          terms: {
            seeds: numbersFrom(from + 1, NODES_PER_CLIENT).map(seedOf),
            poolKey,
            slotSeconds,
            window: window / CLIENTS,
            pool: { address: grpc, rootPem, name: POOL_NAME, identities },
            baseline: {
              address: baseline.address,
              rootPem: authority.rootPem,
              name: SERVER_NAME,
              identities: certified,
            },
          },
        }),
      );
    }
    return new World(pool, clients, { baselinePid: baseline.pid, folder: own });
  }

  private constructor(
    pool: Child<Awaited<ReturnType<typeof openPool>>>,
    clients: readonly Client[],
    { baselinePid, folder }: { readonly baselinePid: number; readonly folder: string },
  ) {
    this.#pool = pool;
    this.folder = folder;
    this.clients = clients;
    this.#pids = { pool: pool.pid, baseline: baselinePid };
  }

  /** Alternates the sides, a slot of heartbeats in each round; the first rounds warm both up. */
  async rounds(
    { short }: BenchOptions,
    send: (client: Client, side: Side) => Promise<Burst>,
  ): Promise<Readonly<Record<Side, readonly Round[]>>> {
    const rounds: Record<Side, Round[]> = { pool: [], baseline: [] };
    const [warm, count] = short ? [2, 3] : [6, 15];
    for (let round = 0; round < warm + count; round++) {
      const slot = await this.#pool.ask("nextSlot", null);
      const sizes = await Promise.all(this.clients.map((client) => client.ask("prepare", slot)));
      this.messageBytes = sizes[0] ?? 0;
      const order: Side[] = round % 2 === 0 ? ["pool", "baseline"] : ["baseline", "pool"];
      for (const side of order) {
        const done = await this.#round(side, send);
        if (round >= warm) rounds[side].push(done);
      }
    }
    return rounds;
  }

  async #round(side: Side, send: (client: Client, side: Side) => Promise<Burst>): Promise<Round> {
    const before = cpuMs(this.#pids[side]);
    const bursts = await Promise.all(this.clients.map((client) => send(client, side)));
    const beganMs = Math.min(...bursts.map((burst) => burst.beganMs));
    const endedMs = Math.max(...bursts.map((burst) => burst.endedMs));
    const perSecond = (CLIENTS * NODES_PER_CLIENT * 1000) / (endedMs - beganMs);
    return { perSecond, serverCpuMs: cpuMs(this.#pids[side]) - before };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.clients) await client[Symbol.asyncDispose]();
    await this.#pool[Symbol.asyncDispose]();
  }
}

function measured(
  name: string,
  baseline: string,
  terms: Readonly<Record<Side, readonly Round[]>> & {
    readonly notes: readonly string[];
    readonly least: number;
  },
): Measured {
  const rate = (side: Side) => median(terms[side].map(({ perSecond }) => perSecond));
  return {
    name,
    value: rate("pool"),
    unit: "/s",
    baseline: { name: baseline, value: rate("baseline") },
    goal: { of: "ratio", least: terms.least },
    notes: [
      `median of ${terms.pool.length} alternating rounds of ${CLIENTS * NODES_PER_CLIENT} messages, ` +
        `${CLIENTS} client processes, a connection with mTLS per node, ${WINDOW} under way`,
      ...terms.notes,
      `CPU of the server per message: ${cpuEach(terms.pool)} against ${cpuEach(terms.baseline)} us`,
    ],
  };
}

function cpuEach(rounds: readonly Round[]): number {
  const totalMs = rounds.reduce((sum, { serverCpuMs }) => sum + serverCpuMs, 0);
  return Math.round((totalMs * 1000) / (rounds.length * CLIENTS * NODES_PER_CLIENT));
}
