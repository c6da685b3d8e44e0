import type { Tx } from "@/core/consensus/types.ts";
import { AssertionError } from "@/std/assert.ts";
import { toHex, utf8 } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { newTx, readTx, VALID_MS } from "./application.ts";
import { ConcordWatch } from "./concord-watch.ts";
import type { Core } from "./core.ts";
import { LUCK } from "./dice.ts";
import type { Fault, FaultCounts } from "./faults.ts";
import type { Host } from "./host.ts";
import { type Fixed, type Options, optionsOf } from "./options.ts";
import type { Tally } from "./run-watch.ts";
import { BLOCK_TXS_MAX, type Bugs, type Process, Simulation, START_MS } from "./simulation.ts";
import { promise, Violation } from "./violation.ts";

/** How a run ended. */
export interface Outcome {
  readonly options: Options;
  readonly violation: Violation | null;
  readonly tally: Tally;
  readonly faults: readonly Fault[];
  /** How many there were of each sort. */
  readonly counts: FaultCounts;
  /** The same in every run of this seed (S14). */
  readonly hash: string;
  /** What all processes are in the end. */
  readonly state: string;
  /** The last events in words; made when asked for. */
  readonly lastEvents: (count?: number) => readonly string[];
  /** How long after healing everything was committed, as a part of what it may take. */
  readonly recovery: number;
}

/** What is run. */
export interface RunTerms {
  readonly seed: number;
  readonly core: Core;
  readonly fixed?: Fixed;
  readonly bugs?: Bugs;
  readonly without?: ReadonlySet<string>;
}

/** Events before the network heals, at most, and after. */
const EVENTS_BEFORE = 1_600;
const EVENTS_AFTER = 12_000;

/** Runs a seed to its end, or to the first promise that is broken. */
export function run({ seed, core, fixed, bugs, without }: RunTerms): Outcome {
  const options = optionsOf(seed, fixed);
  const simulation = new Simulation({
    options,
    core,
    ...(bugs && { bugs }),
    ...(without && { without }),
  });
  const story = new Course(simulation);
  let violation: Violation | null = null;
  try {
    story.run();
  } catch (thrown) {
    violation = violationIn(thrown);
  }
  const { watch, faults } = simulation;
  return {
    options,
    violation,
    tally: watch.tally,
    get faults() {
      return faults.happened;
    },
    counts: faults.counts,
    hash: watch.journal.hash,
    state: toHex(sha256(utf8(simulation.processes.map(stateOf).join()))),
    lastEvents: (count) => watch.journal.last(count),
    recovery: story.recovery,
  };
}

function stateOf({ host: { state, committed, app } }: Process): string {
  const { view = 0, durable } = state?.replica ?? {};
  const record = durable && [
    durable.epoch,
    durable.lastVotedView,
    durable.lastCommitVotedView,
    durable.lastWishView,
    durable.lastProposedView,
    ...[durable.lock, durable.highCert, durable.commitCert].flatMap((cert) => [
      cert.kind,
      cert.view,
      cert.block,
    ]),
  ];
  return [view, record?.join(" "), committed.hash, app.root].join(" ");
}

/** What was thrown is a broken promise too: of the code to itself. */
function violationIn(thrown: unknown): Violation {
  if (thrown instanceof Violation) return thrown;
  const { message, stack } = thrown instanceof Error ? thrown : new Error(String(thrown));
  const isAssertion =
    thrown instanceof AssertionError || thrown?.constructor.name === "AssertionError";
  const where =
    stack
      ?.split("\n")
      .slice(1, 6)
      .map((line) => line.trim())
      .join(" ") ?? "";
  return new Violation(isAssertion ? "assert" : "thrown", `${message} ${where}`);
}

/** The course of a run: faults until the network heals, then everything has to come right. */
class Course {
  recovery = 0;
  readonly #simulation: Simulation;
  #submitted = 0;
  /** Nothing new comes any more, neither work nor lies. */
  #isOver = false;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  run(): void {
    const { agenda, options, watch, processes } = this.#simulation;
    processes.forEach(({ host }, at) => {
      const ms = this.#simulation.dice.throw(LUCK.boot, at) * 2 * options.deltaMs;
      agenda.after(ms, () => this.#simulation.restart(host));
    });
    this.#planTxs();
    this.#planLies();
    this.#planDeaths();
    if (options.skewMs > 0) this.#planClocks();
    while (watch.tally.events < EVENTS_BEFORE && agenda.step(options.healMs));
    this.#heal();
    this.#recover();
    this.#fallSilent();
    const isCalm = options.healMs === 0 && processes.every(isCorrect);
    if (isCalm) this.#wasResponsive();
  }

  /** L4: when nothing ever went wrong and nobody lied, nobody lost patience and no leader waited. */
  #wasResponsive(): void {
    const { tally, leaderWaits } = this.#simulation.watch;
    promise(tally.timeouts === 0, "L4", () => `${tally.timeouts} wishes though nothing went wrong`);
    promise(leaderWaits === 0, "L4", () => `leaders waited ${leaderWaits} times for nothing`);
  }

  #heal(): void {
    const { agenda, processes, network, dice } = this.#simulation;
    this.#simulation.healedAt = agenda.now;
    for (const { host, part } of processes) {
      const errorMs = Math.abs(this.#simulation.clockError(host));
      if (host.isUp && errorMs > 1_000) host.crash(dice.throw(LUCK.survive, host.id, host.life));
      if (part === "dead" && host.isUp) host.crash(1);
    }
    this.#simulation.isHealed = true;
    network.isHealed = true;
    for (const { host, part } of processes) if (part !== "dead") this.#simulation.restart(host);
    this.#watchConcord();
  }

  /** L2 and L3, where what is sent arrives. */
  #watchConcord(): void {
    const { agenda, watch, options } = this.#simulation;
    const { tally, safety, highest } = watch;
    const { deltaMs, drizzle, fsyncMsMax, syncPeriod } = options;
    const before = { highest, from: agenda.now + fsyncMsMax, correct: this.#correct() };
    const terms = { agenda, ballots: safety.ballots, tally, deltaMs, syncPeriod, ...before };
    if (drizzle === 0) watch.concord = new ConcordWatch(terms);
  }

  // Work.

  #planTxs(): void {
    const { options, dice, agenda } = this.#simulation;
    let at = dice.throw(LUCK.submit) * options.txEveryMs;
    for (let count = 0; count < options.txs; count++) {
      agenda.after(at, () => this.#submitEarly());
      at += dice.throw(LUCK.submit, count, 1) * 2 * options.txEveryMs;
    }
    for (let count = 0; count < options.epochChanges; count++) {
      const late = dice.throw(LUCK.epoch, count);
      agenda.after(late * Math.max(options.healMs, 1_000), () => this.#submitChange(count));
    }
  }

  /** Nothing new once the events for what goes wrong are used up: the rest are for coming right. */
  #submitEarly(): void {
    if (this.#simulation.watch.tally.events < EVENTS_BEFORE) this.#submit();
  }

  /** Gives a transaction to some process that is up; to the next when the clock of one is behind. */
  #submit(members: readonly number[] | null = null): Tx | null {
    if (this.#isOver) return null;
    const { dice, processes, watch, agenda } = this.#simulation;
    const id = ++this.#submitted;
    const able = processes.filter((one) => isCorrect(one) && isMember(one.host));
    const first = Math.floor(dice.throw(LUCK.submit, id, 2) * able.length);
    const chainMs = watch.safety.chain.at(-1)?.header.timestampMs ?? 0;
    const validUntilMs = Math.max(START_MS + agenda.now, chainMs) + VALID_MS - 60_000;
    const tx = newTx({ id, validUntilMs: Math.floor(validUntilMs), members });
    const inTurn = [...able.slice(first), ...able.slice(0, first)];
    return inTurn.some(({ host }) => host.admit(tx, true)) ? tx : null;
  }

  /** Asks for a committee of which no more than f are not honest. */
  #submitChange(count: number): void {
    const { dice, processes, options } = this.#simulation;
    const seats = processes.filter(({ isObserver }, id) => !isObserver && id < options.n + 2);
    const order = seats
      .map((seat, at) => ({ seat, luck: dice.throw(LUCK.epoch, count, at + 1) }))
      .sort((a, b) => a.luck - b.luck)
      .map(({ seat }) => seat);
    const size = Math.max(1, options.n - 1 + Math.floor(dice.throw(LUCK.epoch, count, 99) * 3));
    const faultsMax = Math.floor((size - 1) / 3);
    const faulty = order.filter((one) => !isCorrect(one)).slice(0, faultsMax);
    const honest = order.filter(isCorrect).slice(0, size - faulty.length);
    if (honest.length + faulty.length === size)
      this.#submit([...faulty, ...honest].map(({ key }) => key).sort((a, b) => a - b));
  }

  #planLies(): void {
    const { traitors, agenda, dice, options } = this.#simulation;
    for (const traitor of traitors) {
      const again = (count: number): void => {
        const pause = dice.throw(LUCK.byzantine, traitor.host.id, count, -1);
        agenda.after((0.5 + 4 * pause) * options.deltaMs, () => {
          if (traitor.host.isUp) traitor.act();
          if (!this.#isOver) again(count + 1);
        });
      };
      again(0);
    }
  }

  /** Who is gone for ever goes at any time before the network heals. */
  #planDeaths(): void {
    const { processes, agenda, dice, options } = this.#simulation;
    for (const { host, part } of processes)
      if (part === "dead")
        agenda.after(dice.throw(LUCK.downtime, host.id, -1) * options.healMs, () => host.crash(1));
  }

  #planClocks(): void {
    const { processes, agenda, dice } = this.#simulation;
    for (const { host } of processes)
      if (dice.throw(LUCK.clock, host.id, 9) < 0.5)
        agenda.after(
          300,
          () => host.isUp && host.step({ type: "clock_health", ok: false, now: host.now }),
        );
  }

  // Everything comes right.

  /** As many as may lie in the largest committee there can be, and one at least. */
  get #faultsMax(): number {
    return Math.max(1, Math.floor((this.#simulation.options.n + 1) / 3));
  }

  /** How long f failed views and the one that succeeds may take, and the waits between. */
  get #boundMs(): number {
    const { options } = this.#simulation;
    const { statusIntervalMs } = this.#simulation.processes[0]?.host.config ?? {
      statusIntervalMs: 0,
    };
    const patience = options.drizzle > 0 ? 3 : 1;
    return patience * ((this.#faultsMax + 2) * options.timeoutMsMax + statusIntervalMs);
  }

  /** L1, L6, L7: what honest processes hold is committed and executed by all of them, in time. */
  #recover(): void {
    const { agenda, watch, options } = this.#simulation;
    const heights = watch.safety.chain.length;
    const healedAt = agenda.now;
    const members = this.#correct().filter(isMember);
    const wanted: Tx[] = members.flatMap((host) => host.mempool.oldest(1_000));
    for (const pause of [0, 0.3, 1.5])
      agenda.after(pause * options.timeoutMs, () => this.#submitInTime(wanted));
    // A committee that has just been chosen may have to catch up before it can take anything.
    this.#until(healedAt + this.#boundMs, () => wanted.length > 0);
    promise(wanted.length > 0, "L6", () => "no validator is up to date");
    const first = agenda.now + this.#boundMs;
    const last = first + 2 * options.timeoutMs + this.#backlogMs(wanted);
    this.#until(first, () => watch.safety.chain.length > heights);
    promise(watch.safety.chain.length > heights, "L1", () => `nothing new by ${first.toFixed(0)}`);
    this.#until(
      last,
      () => agenda.now > healedAt + 1.6 * options.timeoutMs && this.#isDone(wanted),
    );
    const missing = wanted.find((tx) => !this.#isDone([tx]));
    promise(missing === undefined, "L7", () => {
      const tx = missing ? readTx(missing).id : 0;
      const where = this.#correct().map(({ id, app }) => `${id}@${app.height}`);
      return `transaction ${tx} is not executed everywhere by ${last.toFixed(0)}: ${where.join(" ")}`;
    });
    this.recovery = (agenda.now - healedAt) / (last - healedAt);
  }

  /** What does not fit into one block of each honest leader waits until those who lie have had their turns. */
  #backlogMs(wanted: readonly Tx[]): number {
    const { options } = this.#simulation;
    const count = new Set(wanted.map((tx) => readTx(tx).id)).size;
    const aTurn = BLOCK_TXS_MAX * Math.max(1, options.n - this.#faultsMax);
    return Math.floor(count / aTurn) * (this.#faultsMax + 1) * options.timeoutMsMax;
  }

  /** Gives a transaction to a validator as soon as there is one to take it. */
  #submitInTime(wanted: Tx[]): void {
    const { agenda, options } = this.#simulation;
    const tx = this.#submit();
    if (tx) wanted.push(tx);
    else if (!this.#isOver) agenda.after(options.deltaMs, () => this.#submitInTime(wanted));
  }

  #isDone(txs: readonly Tx[]): boolean {
    const now = this.#simulation.watch.safety.chain.at(-1)?.header.timestampMs ?? 0;
    return this.#correct().every(({ app }) =>
      txs.every(
        (tx) =>
          app.executed.has(readTx(tx).id) || readTx(tx).validUntilMs < now || this.#isOrphan(tx),
      ),
    );
  }

  /** Whether only processes know it that are no validators any more: they do not gossip. */
  #isOrphan(tx: Tx): boolean {
    const isThere = (host: Host): boolean =>
      host.mempool.has(tx) || host.app.executed.has(readTx(tx).id);
    return !this.#correct().some((host) => isMember(host) && isThere(host));
  }

  /** L8: once the liars are gone and all is done, nobody says anything and no timer runs. */
  #fallSilent(): void {
    const { agenda, processes, options } = this.#simulation;
    this.#isOver = true;
    const liars = processes.filter(
      (one) => one.host.isUp && !isCorrect(one) && one.part !== "rotten",
    );
    for (const { host } of liars) host.crash(1);
    this.#finishWork();
    const isFaulty = processes.some((one) => !isCorrect(one));
    const isSlow = isFaulty || options.drizzle > 0;
    const calmMs = isSlow ? this.#boundMs : options.timeoutMsMax;
    const from = agenda.now + calmMs + 10 * options.deltaMs;
    this.#until(from, () => false);
    const silentFrom = agenda.now;
    this.#until(silentFrom + 50 * options.deltaMs, () => false);
    if (options.drizzle > 0) this.#hasNoMoreWishes();
    else this.#isSilentSince(silentFrom);
    for (const host of this.#correct()) this.#isAtRest(host);
  }

  /** L7 again: what was waiting when nothing new comes any more is no reason to be silent yet. */
  #finishWork(): void {
    const { agenda } = this.#simulation;
    const waiting = this.#correct()
      .filter(isMember)
      .flatMap(({ mempool }) => mempool.oldest(1_000));
    const last = agenda.now + 2 * this.#boundMs;
    this.#until(last, () => this.#isDone(waiting));
    promise(this.#isDone(waiting), "L7", () => `not all is executed by ${last.toFixed(0)}`);
  }

  #isSilentSince(silentFrom: number): void {
    const { watch } = this.#simulation;
    promise(
      watch.spokenAt <= silentFrom,
      "L8",
      () => `something is said at ${watch.spokenAt.toFixed(0)}, with nothing to do`,
    );
  }

  /**
   * L8 where messages go on being lost: whoever missed the last commit hears of it without wishes. With
   * a wish of a liar that of one honest replica is f + 1; then it goes on for twice the longest pause.
   */
  #hasNoMoreWishes(): void {
    const { watch, options, healedAt, processes } = this.#simulation;
    const patience = processes.every(({ part }) => part === "honest" || part === "dead") ? 1 : 4;
    const last = Math.max(watch.advancedAt, healedAt) + patience * options.timeoutMsMax;
    promise(
      watch.wishedAt <= last,
      "L8",
      () => `a wish at ${watch.wishedAt.toFixed(0)}, after ${last.toFixed(0)}`,
    );
  }

  #isAtRest(host: Host): void {
    const timers = [...host.timers.keys()].filter((timer) => timer !== "status");
    promise(timers.length === 0, "L8", () => `${host.id} still has timers: ${timers.join(", ")}`);
    const { height } = host.committed.header;
    const highest = this.#simulation.watch.safety.chain.length - 1;
    promise(height === highest, "L6", () => `${host.id} is at ${height} and not at ${highest}`);
  }

  #until(at: number, isEnough: () => boolean): void {
    const { agenda, watch, options } = this.#simulation;
    const many = EVENTS_AFTER * Math.max(1, (options.n / 7) ** 2);
    const most = watch.tally.events + many;
    while (!isEnough() && agenda.step(at))
      promise(watch.tally.events < most, "storm", () => `${many} events without an end`);
    if (agenda.now < at && !isEnough()) agenda.now = at;
  }

  /** Those whose progress is promised: honest all the time, and up. */
  #correct(): readonly Host[] {
    return this.#simulation.processes.filter(isCorrect).map(({ host }) => host);
  }
}

/** Whether it is up and has a vote. */
function isMember({ state, key }: Host): boolean {
  return state?.replica.committee.validators.includes(key) ?? false;
}

function isCorrect({ part }: Process): boolean {
  return part === "honest";
}
