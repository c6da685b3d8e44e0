import { faultsOf } from "@/core/consensus/quorum.ts";
import { Dice, LUCK, type Stream } from "./dice.ts";
import { TRICK_SORTS, TRICKS, TRICKS_OF_LEADERS, type Trick } from "./tricks.ts";

/** What a process is in this run. Of all but "honest" there are at most f among the validators. */
export type Part =
  | "honest"
  /** Lies, with the tricks of the run. */
  | "traitor"
  /** Runs twice with one key, each copy honest by itself. */
  | "twin"
  /** Its disk rots: it has to see that and to stop voting. */
  | "rotten"
  /** Starts once from an old copy of its disk, so that it may contradict itself. */
  | "stale"
  /** Its disk takes nothing any more, or says so: it must not say what is not durable. */
  | "full"
  /** Loses its disk and starts again as if nothing had been. */
  | "wiped"
  /** Is gone for ever once the network has healed. */
  | "dead";

/** Everything that is drawn for a seed: printed when it fails, and enough to run it again. */
export interface Options {
  readonly seed: number;
  readonly n: number;
  readonly syncPeriod: number;
  readonly observers: number;
  readonly parts: readonly Part[];
  /** How many validators more than f may lie: only to see that the checker notices. */
  readonly excess: number;
  readonly tricks: readonly Trick[];
  /** Δ, τ0 and τ_max of §7.4. */
  readonly deltaMs: number;
  readonly timeoutMs: number;
  readonly timeoutMsMax: number;
  /** Until then everything may go wrong; from then on messages take at most Δ. */
  readonly healMs: number;
  readonly loss: number;
  /** What is lost for ever, also when all else is healed: then it takes longer, and ends all the same. */
  readonly drizzle: number;
  /** How often replicas say where they are. */
  readonly statusMs: number;
  readonly duplication: number;
  /** Types of messages that are lost more often than others, and how often. */
  readonly lossy: readonly string[];
  readonly lossyChance: number;
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /** A process whose messages take ten times as long, or −1. */
  readonly slow: number;
  readonly partition: PartitionKind;
  readonly partitionMs: number;
  readonly crashes: number;
  readonly crashChance: number;
  readonly downMsMax: number;
  readonly fsyncMsMin: number;
  readonly fsyncMsMax: number;
  /** By how much clocks differ, and whether some jump or stand still. */
  readonly skewMs: number;
  readonly clockTrouble: boolean;
  readonly txs: number;
  readonly txEveryMs: number;
  readonly epochChanges: number;
  /** Whether every message takes the way over its bytes. */
  readonly codec: boolean;
}

export const PARTITIONS = ["none", "split", "one_way", "ring", "flapping", "isolate"] as const;
export type PartitionKind = (typeof PARTITIONS)[number];

/** What may be fixed from outside; the rest is the seed's. */
export type Fixed = Partial<Options>;

const LOSSY = [
  "proposal",
  "vote",
  "prepare",
  "commit",
  "commit",
  "new_view",
  "wish",
  "tc",
] as const;
const DELTA_MS = 100;
const SIZES = [1, 2, 3, 4, 4, 4, 4, 4, 5, 7] as const;

/** Nine of ten have five validators at most. */
const LARGE = [6, 6, 7, 7, 7, 7, 7, 10, 13, 16] as const;
const SMALL = SIZES.filter((size) => size <= 5);

/** How many validators a seed has in a long run: now and then up to sixteen. */
export function longSizeOf(seed: number): number {
  const stream = new Dice(seed).stream(LUCK.size);
  return stream.pick(stream.chance(0.9) ? SMALL : LARGE);
}

/** The options of a seed. */
export function optionsOf(seed: number, fixed: Fixed = {}): Options {
  const stream = new Dice(seed).stream(LUCK.options);
  const n = fixed.n ?? stream.pick(SIZES);
  const isCalm = stream.chance(0.1);
  const timeoutMs = 10 * DELTA_MS;
  const drawn: Options = {
    seed,
    n,
    syncPeriod: stream.chance(0.3) ? faultsOf(n) + 1 : 1,
    observers: stream.chance(0.2) ? 1 + stream.int(2) : 0,
    excess: 0,
    deltaMs: DELTA_MS,
    timeoutMs,
    timeoutMsMax: timeoutMs * stream.pick([2, 4, 8]),
    ...networkOf(stream, isCalm),
    ...processesOf(stream, isCalm),
    ...peopleOf(stream, n, isCalm),
    statusMs: DELTA_MS * stream.pick([20, 50, 100]),
    drizzle: !isCalm && stream.chance(0.06) ? 0.1 : 0,
    txs: 6 + stream.int(80),
    txEveryMs: stream.logUniform(20, 500),
    epochChanges: stream.chance(0.25) ? 1 + stream.int(3) : 0,
    codec: stream.chance(0.04),
  };
  const isDuel = !isCalm && faultsOf(n) > 0 && stream.chance(0.2);
  const given = { ...drawn, ...(isDuel && duelOf(stream, drawn)), ...fixed };
  const parts = fixed.parts ?? resized(given.parts, given.n);
  return { ...given, parts };
}

function networkOf(stream: Stream, isCalm: boolean) {
  const isBad = stream.chance(isCalm ? 0 : 0.8);
  const delayMsMin = stream.logUniform(DELTA_MS / 100, DELTA_MS / 5);
  const [least, most] = isBad ? [DELTA_MS, 50 * DELTA_MS] : [delayMsMin, DELTA_MS];
  const delayMsMax = stream.logUniform(least, most);
  const calm = isCalm ? 0 : 1;
  const bad = isBad ? 1 : 0;
  return {
    healMs: calm * stream.logUniform(2_000, 20_000),
    loss: stream.chance(0.7 * bad) ? stream.next() * 0.3 : 0,
    lossy: stream.chance(0.4 * calm) ? stream.some(LOSSY).slice(0, 3) : [],
    lossyChance: 0.3 + 0.6 * stream.next(),
    duplication: stream.chance(0.5 * bad) ? stream.next() * 0.1 : 0,
    delayMsMin,
    delayMsMax,
    slow: stream.chance(0.2 * bad) ? stream.int(4) : -1,
    partition: stream.chance(0.6 * calm) ? stream.pick(PARTITIONS) : "none",
    partitionMs: stream.logUniform(200, 5_000),
  };
}

function processesOf(stream: Stream, isCalm: boolean) {
  const hasCrashes = !isCalm && stream.chance(0.6);
  return {
    crashes: hasCrashes ? 1 + stream.int(8) : 0,
    crashChance: stream.logUniform(0.001, 0.03),
    downMsMax: stream.logUniform(50, 5_000),
    fsyncMsMin: 0.1,
    fsyncMsMax: stream.logUniform(0.2, isCalm ? 2 : 300),
    skewMs: stream.chance(isCalm ? 0 : 0.4) ? stream.logUniform(100, 3_600_000) : 0,
    clockTrouble: stream.chance(isCalm ? 0 : 0.2),
  };
}

const FAULTY: readonly Part[] = [
  ...Array.from({ length: 6 }, () => "traitor" as const),
  "twin",
  "rotten",
  "full",
  "stale",
  "wiped",
  "dead",
];

function peopleOf(stream: Stream, n: number, isCalm: boolean) {
  const faults = isCalm ? 0 : stream.int(faultsOf(n) + 1.7);
  const faulty = stream.shuffle(Array.from({ length: n }, (_, id) => id)).slice(0, faults);
  const parts = Array.from({ length: n }, (_, id) =>
    faulty.includes(id) ? stream.pick(FAULTY) : "honest",
  );
  return { parts: resized(parts, n), tricks: tricksOf(stream) };
}

/**
 * One liar with one trick that goes for a fork, always something to do, and commits that few hear of:
 * where a rule that is missing shows soonest.
 */
function duelOf(stream: Stream, { parts, n }: Options): Partial<Options> {
  const liar = stream.int(n);
  return {
    parts: parts.map((_, id) => (id === liar ? "traitor" : "honest")),
    tricks: [stream.pick(FORKING), ...(stream.chance(0.3) ? [stream.pick(TRICKS)] : [])],
    lossy: stream.chance(0.7) ? ["commit"] : [],
    txs: 100,
    txEveryMs: stream.logUniform(20, 100),
  };
}

/** What is most likely to make a fork of a rule that is missing. */
const FORKING = ["propose_on_stale", "propose_on_other_branch", "equivocate"] as const;

/** A trick or two of a leader and a few others; now and then all there are. */
function tricksOf(stream: Stream): readonly Trick[] {
  if (stream.chance(0.1)) return TRICKS;
  return [
    stream.pick([...TRICKS_OF_LEADERS, ...FORKING, ...FORKING, ...FORKING]),
    ...(stream.chance(0.4) ? [stream.pick(TRICKS_OF_LEADERS)] : []),
    ...TRICK_SORTS.slice(1).flatMap((sort): readonly Trick[] =>
      stream.chance(0.4) ? [stream.pick<Trick>(sort)] : [],
    ),
  ];
}

/** At most f of n are not honest. */
function resized(parts: readonly Part[], n: number): readonly Part[] {
  let left = faultsOf(n);
  return Array.from({ length: n }, (_, id) => {
    const part = parts[id] ?? "honest";
    if (part === "honest") return part;
    left--;
    return left >= 0 ? part : "honest";
  });
}
