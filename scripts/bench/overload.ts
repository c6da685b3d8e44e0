import { readFileSync } from "node:fs";
import { join } from "node:path";
import { placesIn } from "./bench-pool.ts";
import { createAuthority } from "./certificates.ts";
import { Child } from "./child.ts";
import { ECHO_PATH, openEcho } from "./echo-child.ts";
import { type BenchOptions, type Figure, type Measured, median } from "./figure.ts";
import { openFlood } from "./flood-child.ts";
import { HEARTBEAT_PATH, World } from "./heartbeats.ts";
import { cpuMs, residentBytes } from "./processes.ts";

const READERS = 16;
const CROWD = 450;
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
  const file = join(import.meta.dir, "flood-child.ts");
  await using few = await Child.start(openFlood, { file, terms: { connections: READERS } });
  await using many = await Child.start(openFlood, { file, terms: { connections: CROWD } });
  const token = readFileSync(join(placesIn(world.folder).data, "operator.token"), "utf8").trim();
  const request = `GET ${PATH} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`;
  const [rounds, forMs] = options.short ? [1, 500] : [7, 2_000];
  const flood = async (by: typeof few, perSecond?: number, times = 1): Promise<Read> => {
    const before = cpuMs(world.poolPid);
    const load = { port: Number(new URL(http).port), request, forMs: forMs * times, perSecond };
    const { good, refused } = await by.ask("run", load);
    return { good, refused, cpuEach: (cpuMs(world.poolPid) - before) / (good * forMs * times) };
  };
  await flood(few);
  const probes = new Probes(http);
  const reads: Reads[] = [];
  for (let round = 0; round < rounds; round++) {
    const before = await flood(few);
    const tenfold = await flood(many, before.good * TIMES);
    reads.push({ before, tenfold, after: await flood(few) });
  }
  const perSecond = median(reads.map(({ before }) => before.good)) * TIMES;
  const alone = await beatsPerSecond(world, options);
  const flooded = flood(many, perSecond, 6);
  const beside = await beatsPerSecond(world, options);
  await flooded;
  const endedMs = performance.now();
  await (await fetch(`${http}/health`)).arrayBuffer();
  const backMs = performance.now() - endedMs;
  const slowestMs = await probes.end();
  const resident = residentBytes(world.poolPid) / MEGABYTE;
  return [
    keptReads(reads),
    {
      name: "heartbeats beside a flood of reads",
      value: beside,
      unit: "/s",
      baseline: { name: "alone", value: alone },
      goal: { of: "value", least: Math.ceil(NODES / 30) },
      notes: [
        `${CROWD} connections read all the time; ${NODES} nodes need ${Math.ceil(NODES / 30)} a second`,
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

interface Read {
  readonly good: number;
  readonly refused: number;
  /** CPU of the pool for each good answer, seconds. */
  readonly cpuEach: number;
}

/** Saturation before and after, so that what else the machine does weighs on both. */
interface Reads {
  readonly before: Read;
  readonly tenfold: Read;
  readonly after: Read;
}

function keptReads(reads: readonly Reads[]): Measured {
  const usual = median(reads.flatMap(({ before, after }) => [before.good, after.good]));
  const share = reads.map(({ before, tenfold, after }) => ({
    good: (tenfold.good * 2) / (before.good + after.good),
    cpu: (before.cpuEach + after.cpuEach) / (tenfold.cpuEach * 2),
  }));
  const byCpu = median(share.map(({ cpu }) => cpu)).toFixed(2);
  const refused = Math.round(median(reads.map(({ tenfold }) => tenfold.refused)));
  return kept("reads at ten times the load", usual, usual * median(share.map(({ good }) => good)), [
    `median of ${reads.length} rounds: ${READERS} connections that ask again at once, ${CROWD} that offer ${TIMES} times as much in an open loop, and the ${READERS} again`,
    `good is a 200 within 2 s; ${refused} refused a second`,
    `by the CPU of the pool for a good answer ${byCpu} is kept: the client shares its cores`,
  ]);
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
