import { readFileSync } from "node:fs";
import { join } from "node:path";
import { placesIn } from "./bench-pool.ts";
import { createAuthority } from "./certificates.ts";
import { Child } from "./child.ts";
import { ECHO_PATH, openEcho } from "./echo-child.ts";
import { type BenchOptions, type Figure, type Measured, median } from "./figure.ts";
import { HEARTBEAT_PATH, World } from "./heartbeats.ts";
import { openLoad } from "./load-child.ts";
import { residentBytes } from "./processes.ts";

const READERS = 16;
const WINDOW = 50;
const TIMES = 10;
const NODES = 500;
const PATH = "/api/v1/nodes?limit=100";
const MEGABYTE = 1_048_576;

/** What is kept of the goodput when ten times as many ask at once, and what passes meanwhile. */
export const overload: Figure = {
  name: "overload",
  async measure(options) {
    const authority = await createAuthority(NODES);
    await using echo = await Child.start(openEcho, {
      file: join(import.meta.dir, "echo-child.ts"),
      terms: { rootPem: authority.rootPem, server: authority.server },
    });
    const baseline = { address: `127.0.0.1:${await echo.ask("port", null)}`, pid: echo.pid };
    const beats = { usual: 0, tenfold: 0 };
    for (const [name, window] of [
      ["usual", WINDOW],
      ["tenfold", WINDOW * TIMES],
    ] as const) {
      await using world = await World.open(options, authority, baseline, window);
      beats[name] = await beatsPerSecond(world, options);
    }
    await using world = await World.open(options, authority, baseline, WINDOW);
    return [
      kept("heartbeats at ten times the load", beats.usual, beats.tenfold, [
        `${WINDOW} and ${WINDOW * TIMES} calls under way at once from ${NODES} nodes`,
      ]),
      ...(await underReads(world, options)),
    ];
  },
};

/** Reads at ten times the load, and heartbeats meanwhile. */
async function underReads(world: World, options: BenchOptions): Promise<Measured[]> {
  const http = await world.http();
  const token = readFileSync(join(placesIn(world.folder).data, "operator.token"), "utf8").trim();
  const request = `GET ${PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  const load = { port: Number(new URL(http).port), requests: [request] };
  const file = join(import.meta.dir, "load-child.ts");
  await using few = await Child.start(openLoad, { file, terms: { connections: READERS } });
  const crowd = { connections: READERS * TIMES, isRefusable: true };
  await using many = await Child.start(openLoad, { file, terms: crowd });
  const forMs = options.short ? 500 : 3_000;
  await few.ask("run", { ...load, forMs });
  const usual = await few.ask("run", { ...load, forMs });
  const probes = new Probes(http);
  const tenfold = await many.ask("run", { ...load, forMs });
  const alone = await beatsPerSecond(world, options);
  const flood = many.ask("run", { ...load, forMs: forMs * 4 });
  const beside = await beatsPerSecond(world, options);
  await flood;
  const endedMs = performance.now();
  await (await fetch(`${http}/health`)).arrayBuffer();
  const backMs = performance.now() - endedMs;
  const slowestMs = await probes.end();
  const resident = residentBytes(world.poolPid) / MEGABYTE;
  return [
    kept("reads at ten times the load", usual, tenfold, [
      `${READERS} and ${READERS * TIMES} connections that ask again at once`,
    ]),
    {
      name: "heartbeats beside a flood of reads",
      value: beside,
      unit: "/s",
      baseline: { name: "alone", value: alone },
      goal: { of: "value", least: Math.ceil(NODES / 30) },
      notes: [
        `${READERS * TIMES} connections read all the time; ${NODES} nodes need ${Math.ceil(NODES / 30)} a second`,
        `/health took ${Math.round(slowestMs)} ms at most, ${Math.round(backMs)} ms right after`,
      ],
    },
    {
      name: "resident after the overload",
      value: resident,
      unit: "MB",
      goal: { of: "value", most: 512 },
      notes: ["the pool's process, with 500 connected nodes"],
    },
  ];
}

async function beatsPerSecond(world: World, options: BenchOptions): Promise<number> {
  const paths = { pool: HEARTBEAT_PATH, baseline: ECHO_PATH };
  const rounds = await world.rounds(options, (client, side) =>
    client.ask("calls", { side, path: paths[side] }),
  );
  return median(rounds.pool.map(({ perSecond }) => perSecond));
}

function kept(name: string, usual: number, tenfold: number, notes: readonly string[]): Measured {
  return {
    name,
    value: tenfold,
    unit: "/s",
    baseline: { name: "saturation", value: usual },
    goal: { of: "ratio", least: 0.9 },
    notes,
  };
}

/** Asks for the health again and again, and remembers the longest it took. */
class Probes {
  readonly #url: string;
  readonly #ended: Promise<void>;
  #isOver = false;
  #slowestMs = 0;

  constructor(http: string) {
    this.#url = `${http}/health`;
    this.#ended = this.#ask();
  }

  async end(): Promise<number> {
    this.#isOver = true;
    await this.#ended;
    return this.#slowestMs;
  }

  async #ask(): Promise<void> {
    while (!this.#isOver) {
      const beganMs = performance.now();
      const answer = await fetch(this.#url);
      await answer.arrayBuffer();
      if (!answer.ok) throw new Error(`/health answered ${answer.status}`);
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - beganMs);
      await Bun.sleep(50);
    }
  }
}
