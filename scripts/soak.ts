import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { add, type BatchSum, EMPTY_SUM } from "#test/sim/consensus/batch.ts";
import { runOnAllCores } from "#test/sim/consensus/crew.ts";
import { figuresOf } from "#test/sim/consensus/figures.ts";
import { differenceOf, runWithBoth } from "#test/sim/consensus/real-signatures.ts";
import { runPayoutCrash } from "#test/sim/payout-crash.ts";
import { runAdversaries } from "#test/sim/poot-adversary.ts";
import { type RaceFigures, raceForTokens } from "#test/support/enrol-race.ts";
import { askForged } from "#test/support/forged-requests.ts";
import { type KillFigures, killPool } from "#test/support/killing.ts";
import { type OverloadFigures, overloadPool } from "#test/support/overloading.ts";
import { type RotatingFigures, rotateUnderLoad } from "#test/support/rotating.ts";
import { misused, whole } from "./arguments.ts";

/**
 * Runs long what the tests run short: `soak kill [--rounds 100] [--database sqlite|postgres]`,
 * `soak adversary [--rounds 100000]`, `soak payout [--rounds 100000]`, `soak openapi [--rounds 100000]`, `soak sim [--rounds 300000]`,
 * `soak twins [--rounds 100000]`, `soak signatures [--rounds 500]`. Progress is kept in dist/soak, so that an interrupted run goes on where
 * it was; `--fresh` begins anew. Ends with 0 when all is well.
 */

const FOLDER = join(import.meta.dir, "../dist/soak");
const KILLS_A_POOL = 10;
const NODES = 3;
const RACES_A_POOL = 10;
const ROTATIONS_A_POOL = 4;
const FLOODS_A_POOL = 3;
const FLOOD_MS = 4_000;
const SEEDS_A_STEP = 500;
/** A worker needs a few hundred seeds to become fast. */
const FORGED_A_POOL = 10_000;
const SIM_SEEDS_A_STEP = 5_000;
const SIGNED_SEEDS_A_STEP = 25;

/** A run that can be interrupted: so many rounds in steps, and what is added up over them. */
interface Soak<Sum> {
  readonly name: string;
  readonly rounds: number;
  readonly empty: Sum;
  /** Runs the rounds from `from` to below `to`. */
  step(from: number, to: number, sum: Sum): Promise<Sum>;
  readonly stepRounds: number;
  /** One line about what was found so far. */
  line(sum: Sum, seconds: number): string;
  isGood(sum: Sum): boolean;
}

interface Progress<Sum> {
  readonly done: number;
  readonly seconds: number;
  readonly sum: Sum;
}

async function run<Sum>(soak: Soak<Sum>): Promise<number> {
  let progress = restored(soak);
  if (progress.done > 0) say(`goes on after ${progress.done} rounds`);
  while (progress.done < soak.rounds) {
    const fromMs = performance.now();
    const to = Math.min(soak.rounds, progress.done + soak.stepRounds);
    const sum = await soak.step(progress.done, to, progress.sum);
    const seconds = progress.seconds + (performance.now() - fromMs) / 1000;
    progress = { done: to, seconds, sum };
    keep(soak.name, progress);
    const leftSeconds = (seconds / to) * (soak.rounds - to);
    say(`${to} of ${soak.rounds}: ${soak.line(sum, seconds)}; ${leftSeconds.toFixed(0)} s to go`);
    if (!soak.isGood(sum)) break;
  }
  const verdict = soak.isGood(progress.sum) ? "all is well" : "SOMETHING IS WRONG";
  say(
    `${soak.name}: ${soak.line(progress.sum, progress.seconds)}; ${progress.seconds.toFixed(0)} s; ${verdict}`,
  );
  return soak.isGood(progress.sum) ? 0 : 1;
}

type KillSum = Omit<KillFigures, "backMs"> & { readonly backMs: readonly number[] };

function killSoak(rounds: number, database: DatabaseName): Soak<KillSum> {
  return {
    name: `kill-${database}`,
    rounds,
    stepRounds: KILLS_A_POOL,
    empty: {
      kills: 0,
      proven: 0,
      lost: 0,
      doubled: 0,
      batches: 0,
      payments: 0,
      backMs: [],
      faults: [],
    },
    async step(from, to, sum) {
      const terms = { kills: to - from, nodes: NODES, seed: from, database };
      const figures = await killPool({
        ...terms,
        tell: (backMs) => say(`killed, back in ${backMs.toFixed(0)} ms`),
      });
      return {
        kills: sum.kills + figures.kills,
        proven: sum.proven + figures.proven,
        lost: sum.lost + figures.lost,
        doubled: sum.doubled + figures.doubled,
        batches: sum.batches + figures.batches,
        payments: sum.payments + figures.payments,
        backMs: [...sum.backMs, ...figures.backMs.map(Math.round)],
        faults: [...sum.faults, ...figures.faults],
      };
    },
    line: ({ kills, proven, lost, doubled, batches, payments, backMs, faults }) =>
      [
        `${kills} kills`,
        `${proven} slots proven, ${lost} lost, ${doubled} credited twice`,
        `${payments} payments in ${batches} batches`,
        `back in ${median(backMs)} ms (median), ${Math.max(0, ...backMs)} ms (most)`,
        `${faults.length} faults${faults.length > 0 ? `: ${faults.join("; ")}` : ""}`,
      ].join(", "),
    isGood: ({ lost, doubled, faults }) => lost === 0 && doubled === 0 && faults.length === 0,
  };
}

function adversarySoak(rounds: number): Soak<{ accepted: number; credited: number }> {
  return {
    name: "adversary",
    rounds,
    stepRounds: SEEDS_A_STEP,
    empty: { accepted: 0, credited: 0 },
    async step(from, to, sum) {
      const { accepted, credited } = runAdversaries(from, to);
      return { accepted: sum.accepted + accepted, credited: sum.credited + credited };
    },
    line: ({ accepted, credited }) => `${accepted} slots accepted, ${credited} credited`,
    isGood: ({ accepted, credited }) => credited <= accepted,
  };
}

function payoutSoak(rounds: number): Soak<{ crashes: number; faults: readonly string[] }> {
  return {
    name: "payout",
    rounds,
    stepRounds: SEEDS_A_STEP,
    empty: { crashes: 0, faults: [] },
    async step(from, to, sum) {
      let { crashes, faults } = sum;
      for (let seed = from; seed < to; seed++) {
        const { crashes: more, overpaid, underpaid, violations, stoppedBy } = runPayoutCrash(seed);
        crashes += more;
        const found = [...overpaid, ...underpaid, ...violations, ...(stoppedBy ? [stoppedBy] : [])];
        faults = [...faults, ...found.map((fault) => `seed ${seed}: ${fault}`)];
      }
      return { crashes, faults };
    },
    line: ({ crashes, faults }) =>
      `${crashes} crashes, ${faults.length} faults ${faults.join("; ")}`,
    isGood: ({ faults }) => faults.length === 0,
  };
}

/** Requests made from the OpenAPI document; each step asks a pool of its own. */
function openApiSoak(
  rounds: number,
): Soak<{ statuses: Record<number, number>; faults: readonly string[] }> {
  return {
    name: "openapi",
    rounds,
    stepRounds: FORGED_A_POOL,
    empty: { statuses: {}, faults: [] },
    async step(from, to, sum) {
      const { statuses, faults } = await askForged(from, to);
      const all = { ...sum.statuses };
      for (const [status, count] of Object.entries(statuses))
        all[Number(status)] = (all[Number(status)] ?? 0) + count;
      return { statuses: all, faults: [...sum.faults, ...faults] };
    },
    line: ({ statuses, faults }) =>
      `${Object.entries(statuses)
        .map(([status, count]) => `${count} × ${status}`)
        .join(", ")}; ${faults.length} faults ${faults.join("; ")}`,
    isGood: ({ faults }) => faults.length === 0,
  };
}

/** The root and the secrets are rotated under live nodes; every second time the pool may be killed, too. */
function rotateSoak(rounds: number, kills: boolean): Soak<RotatingFigures> {
  return {
    name: kills ? "rotate-kills" : "rotate",
    rounds,
    stepRounds: ROTATIONS_A_POOL,
    empty: { rotations: 0, slots: 0, faults: [] },
    async step(from, to, sum) {
      const more = await rotateUnderLoad({ nodes: 12, rotations: to - from, kills });
      return {
        rotations: sum.rotations + more.rotations,
        slots: sum.slots + more.slots,
        faults: [...sum.faults, ...more.faults],
      };
    },
    line: ({ rotations, slots, faults }) =>
      `${rotations} rotations under 12 nodes, ${slots} slots proven, ${faults.length} faults ${faults.join("; ")}`,
    isGood: ({ faults }) => faults.length === 0,
  };
}

/** A hundred machines at once with a token for one; in three of four rounds the pool is killed meanwhile. */
function enrolSoak(rounds: number, database: DatabaseName): Soak<RaceFigures> {
  return {
    name: `enrol-${database}`,
    rounds,
    stepRounds: RACES_A_POOL,
    empty: { rounds: 0, kills: 0, cutOff: 0, faults: [] },
    async step(from, to, sum) {
      const more = await raceForTokens({ rounds: to - from, machines: 100, seed: from, database });
      return {
        rounds: sum.rounds + more.rounds,
        kills: sum.kills + more.kills,
        cutOff: sum.cutOff + more.cutOff,
        faults: [...sum.faults, ...more.faults],
      };
    },
    line: ({ rounds: done, kills, cutOff, faults }) =>
      `${done} races of 100 for one place, ${kills} kills, ${cutOff} enrolments cut off, ` +
      `${faults.length} faults ${faults.join("; ")}`,
    isGood: ({ faults }) => faults.length === 0,
  };
}

/** Ten times the reads the pool can answer, then its death under all its nodes; three times each pool. */
function overloadSoak(rounds: number, nodes: number): Soak<OverloadFigures> {
  return {
    name: "overload",
    rounds,
    stepRounds: FLOODS_A_POOL,
    empty: {
      rounds: 0,
      kept: [],
      keptByCpu: [],
      recoveredMs: [],
      healthMs: [],
      residentMb: [],
      backMs: [],
      proven: 0,
      faults: [],
    },
    async step(from, to, sum) {
      const more = await overloadPool({ nodes, rounds: to - from, forMs: FLOOD_MS, tell: say });
      return {
        rounds: sum.rounds + more.rounds,
        kept: [...sum.kept, ...more.kept],
        keptByCpu: [...sum.keptByCpu, ...more.keptByCpu],
        recoveredMs: [...sum.recoveredMs, ...more.recoveredMs],
        healthMs: [...sum.healthMs, ...more.healthMs],
        residentMb: [...sum.residentMb, ...more.residentMb],
        backMs: [...sum.backMs, ...more.backMs],
        proven: sum.proven + more.proven,
        faults: [...sum.faults, ...more.faults],
      };
    },
    line: (sum) =>
      [
        `${sum.rounds} floods of ten times the load: ${median(sum.kept).toFixed(2)} of the goodput kept`,
        `${median(sum.keptByCpu).toFixed(2)} by CPU, recovered in ${Math.max(0, ...sum.recoveredMs)} ms`,
        `/health ${Math.max(0, ...sum.healthMs)} ms, ${Math.max(0, ...sum.residentMb)} MB at most`,
        `${nodes} nodes back in ${Math.max(0, ...sum.backMs)} ms after a kill, ${sum.proven} slots proven`,
        `${sum.faults.length} faults ${sum.faults.join("; ")}`,
      ].join(", "),
    isGood: ({ faults }) => faults.length === 0,
  };
}

/** The consensus core, on all cores; one of ten seeds is of more than five validators, up to 16. */
function simSoak(rounds: number, isTwins: boolean): Soak<BatchSum> {
  return {
    name: isTwins ? "twins" : "sim",
    rounds,
    stepRounds: SIM_SEEDS_A_STEP,
    empty: EMPTY_SUM,
    async step(from, to, sum) {
      const found = await runOnAllCores({ from, to, nodes: "long", isTwins });
      for (const report of found.reports) say(report);
      return add(sum, { ...found, reports: [] });
    },
    line: (sum, seconds) => figuresOf(sum, seconds).join("\n  "),
    isGood: ({ violations }) => violations === 0,
  };
}

/** Real signatures and symbolic ones, seed by seed: the same has to happen. */
function signatureSoak(rounds: number): Soak<{ events: number; faults: readonly string[] }> {
  return {
    name: "signatures",
    rounds,
    stepRounds: SIGNED_SEEDS_A_STEP,
    empty: { events: 0, faults: [] },
    async step(from, to, sum) {
      let { events, faults } = sum;
      for (let seed = from; seed < to; seed++) {
        const both = runWithBoth({ seed });
        events += both[1].tally.events;
        const difference = differenceOf(both);
        if (difference) faults = [...faults, `seed ${seed}: ${difference}`];
      }
      return { events, faults };
    },
    line: ({ events, faults }) =>
      `${events} events with Ed25519, ${faults.length} differences ${faults.join("; ")}`,
    isGood: ({ faults }) => faults.length === 0,
  };
}

function fileOf(name: string): string {
  return join(FOLDER, `${name}.json`);
}

function restored<Sum>({ name, empty }: Soak<Sum>): Progress<Sum> {
  if (process.argv.includes("--fresh")) rmSync(fileOf(name), { force: true });
  try {
    return JSON.parse(readFileSync(fileOf(name), "utf8")) as Progress<Sum>;
  } catch {
    return { done: 0, seconds: 0, sum: empty };
  }
}

function keep<Sum>(name: string, progress: Progress<Sum>): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(`${fileOf(name)}.new`, JSON.stringify(progress));
  renameSync(`${fileOf(name)}.new`, fileOf(name));
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

const USAGE = `soak kill [--rounds 100] [--database sqlite|postgres] [--fresh]
soak adversary [--rounds 100000] [--fresh]
soak payout [--rounds 100000] [--fresh]
soak enrol [--rounds 100] [--database sqlite|postgres] [--fresh]
soak rotate [--rounds 20] [--kills] [--fresh]
soak overload [--rounds 9] [--nodes 100] [--fresh]
  each round: 450 connections ask ten times what 16 get answered, for 4 s, open loop;
  then the pool is killed and all nodes come back. limits.memory_mb is 512. Fails over
  512 MB resident, 10 s to recover, 60 s until the last node is back, or a lost credit;
  the kept goodput is a figure (goal 0.9): a busy machine disturbs it.
soak openapi [--rounds 100000] [--fresh]
soak sim [--rounds 300000] [--fresh]
soak twins [--rounds 100000] [--fresh]
soak signatures [--rounds 500] [--fresh]`;

type DatabaseName = "sqlite" | "postgres";

function databaseOf(name: string): DatabaseName {
  if (name === "sqlite" || name === "postgres") return name;
  throw new Error(`--database is sqlite or postgres, not "${name}"`);
}

/** What is wanted; throws an error that says what cannot be understood. */
function read(args: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { rounds: text, database: text, nodes: text, kills: flag, fresh: flag },
  });
  const { rounds, database = "sqlite", nodes, kills } = values;
  const [name, ...others] = positionals;
  if (others.length > 0) throw new Error(`one soak at a time, not ${positionals.join(", ")}`);
  return {
    name,
    database: databaseOf(database),
    rounds: (usual: number) => whole("--rounds", rounds ?? `${usual}`, { least: 1 }),
    nodes: whole("--nodes", nodes ?? "100", { least: 1 }),
    kills,
  };
}

function runNamed({ name, rounds, database, kills, nodes }: ReturnType<typeof read>) {
  switch (name) {
    case "kill":
      return run(killSoak(rounds(100), database));
    case "adversary":
      return run(adversarySoak(rounds(100_000)));
    case "payout":
      return run(payoutSoak(rounds(100_000)));
    case "openapi":
      return run(openApiSoak(rounds(100_000)));
    case "enrol":
      return run(enrolSoak(rounds(100), database));
    case "rotate":
      return run(rotateSoak(rounds(20), kills));
    case "overload":
      return run(overloadSoak(rounds(9), nodes));
    case "sim":
      return run(simSoak(rounds(300_000), false));
    case "twins":
      return run(simSoak(rounds(100_000), true));
    case "signatures":
      return run(signatureSoak(rounds(500)));
    default:
      throw new Error(name ? `there is no soak "${name}"` : "say which soak");
  }
}

async function main(): Promise<number> {
  let running: Promise<number>;
  try {
    running = runNamed(read(process.argv.slice(2)));
  } catch (thrown) {
    return misused(thrown, USAGE);
  }
  return await running;
}

process.exit(await main());
