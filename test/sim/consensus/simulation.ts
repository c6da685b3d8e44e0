import { genesisBlock } from "@/core/consensus/block.ts";
import type { Config } from "@/core/consensus/config.ts";
import { decodeMessage, encodeMessage } from "@/core/consensus/message-codec.ts";
import type { Message } from "@/core/consensus/messages.ts";
import { type Committee, newCommittee } from "@/core/consensus/quorum.ts";
import type { Signer } from "@/core/consensus/signatures.ts";
import type { Block, Hash, PublicKey } from "@/core/consensus/types.ts";
import { Agenda } from "./agenda.ts";
import { type AppBugs, Application, type AppState } from "./application.ts";
import { Ballots } from "./ballots.ts";
import type { Book, Core } from "./core.ts";
import { Coven } from "./coven.ts";
import { Dice, LUCK, logUniform } from "./dice.ts";
import { Disk, type DiskBugs } from "./disk.ts";
import { Faults } from "./faults.ts";
import { Host } from "./host.ts";
import { Journal } from "./journal.ts";
import { Network } from "./network.ts";
import type { Options, Part } from "./options.ts";
import { RunWatch } from "./run-watch.ts";
import { SafetyWatch } from "./safety-watch.ts";
import type { CrashPoint, HostBugs, Surroundings } from "./surroundings.ts";
import { Traitor } from "./traitor.ts";

/** What may be wrong on purpose outside the core. */
export interface Bugs extends HostBugs {
  readonly disk?: DiskBugs;
  readonly app?: AppBugs;
}

/** A process, and what it is in the run. */
export interface Process {
  readonly host: Host;
  readonly part: Part;
  /** Which key it has; twins share one. */
  readonly key: number;
  readonly isObserver: boolean;
}

/** What a simulation is made of. */
export interface Terms {
  readonly options: Options;
  readonly core: Core;
  readonly bugs?: Bugs;
  /** Faults that are left out, to find those that matter. */
  readonly without?: ReadonlySet<string>;
}

export const START_MS = 1_700_000_000_000;
/** So few that what waits makes more than one block. */
export const BLOCK_TXS_MAX = 8;
const LIARS: readonly Part[] = ["traitor", "twin", "stale", "wiped"];
/** How often a start finds its chain behind its record. */
const BEHIND = 0.3;
const CHAIN = "c4".repeat(32) as Hash;

/** A network of processes from a seed: everything that moves, and who watches it. */
export class Simulation implements Surroundings {
  readonly options: Options;
  readonly core: Core;
  readonly bugs: Bugs;
  readonly book: Book;
  readonly agenda = new Agenda();
  readonly dice: Dice;
  readonly faults: Faults;
  readonly keys: readonly PublicKey[];
  readonly genesis: Block;
  readonly genesisApp: AppState;
  readonly app: Application;
  readonly committee: Committee;
  readonly network: Network;
  readonly watch: RunWatch;
  readonly processes: readonly Process[];
  readonly traitors: readonly Traitor[];
  readonly coven: Coven;
  /** Over bytes every message is what the codec says it is, and that is one transaction. */
  readonly packsGossip: boolean;
  isHealed = false;
  healedAt = Number.POSITIVE_INFINITY;
  #crashes = 0;
  readonly #pens = new Map<PublicKey, Signer>();
  readonly #ofKey = new Map<PublicKey, Process[]>();
  readonly #points: Int32Array;
  readonly #isAfflicted = new Set<number>();
  readonly #everybody: readonly PublicKey[];
  readonly #mayBeWrong: boolean[] = [];
  readonly #goodClocks: number[] = [];
  #lasted = 0;
  #carried: Message | null = null;

  constructor({ options, core, bugs = {}, without }: Terms) {
    this.options = options;
    this.packsGossip = !options.codec;
    this.core = core;
    this.bugs = bugs;
    this.book = core.newBook();
    this.dice = new Dice(options.seed);
    this.faults = new Faults(without);
    const layout = layoutOf(options);
    this.keys = Array.from({ length: layout.keys }, (_, at) => keyOf(at));
    const validators = this.keys.slice(0, options.n);
    this.app = new Application(this.keys, bugs.app);
    this.genesis = this.#newGenesis(validators);
    this.genesisApp = this.app.genesis(this.genesis.header.execRoot, validators, START_MS);
    this.committee = newCommittee({
      epoch: 1,
      validators,
      genesis: this.genesis.hash,
      genesisHeight: 0,
    });
    this.network = new Network(options, this.dice, this.faults, layout.places.length);
    const liars = new Set(
      layout.places.filter(({ part }) => LIARS.includes(part)).map(({ key }) => keyOf(key)),
    );
    // With more liars than may be, only what really is signed counts: that must do for a fork.
    const ballots = new Ballots(options.excess > 0 ? new Set() : liars);
    ballots.headers.set(this.genesis.hash, this.genesis.header);
    ballots.open(this.committee);
    const safety = new SafetyWatch({ ballots, genesis: this.genesis, scheme: this.book, liars });
    const journal = new Journal((key) => this.keys.indexOf(key));
    this.watch = new RunWatch(safety, journal, () => this.agenda.now);
    for (const key of this.keys) this.#pens.set(key, this.#newPen(key));
    this.#points = new Int32Array(layout.places.length);
    this.processes = layout.places.map((place, id) => this.#newProcess(place, id));
    this.#everybody = this.keys;
    const pens = new Map([...this.#pens].filter(([key]) => liars.has(key)));
    this.coven = new Coven(this.book, pens);
    this.traitors = this.processes
      .filter(({ part }) => part === "traitor")
      .map(({ host }) => this.#newTraitor(host));
  }

  #newGenesis(validators: readonly PublicKey[]): Block {
    const execRoot = (this.options.seed >>> 0).toString(16).padStart(64, "0") as Hash;
    return genesisBlock({ chainId: CHAIN, validators, timestampMs: START_MS, execRoot });
  }

  #newPen(key: PublicKey): Signer {
    const signer = this.book.signer(key);
    return {
      publicKey: key,
      sign: (statement) => {
        this.watch.safety.ballots.signed(key, statement);
        return signer.sign(statement);
      },
    };
  }

  #newProcess({ key, part, isObserver }: Place, id: number): Process {
    const disk = new Disk(this.bugs.disk);
    const config = configOf(this, keyOf(key), isObserver);
    const host = new Host(id, config, disk, this);
    host.initialise(this.committee, !isObserver);
    const process = { host, part, key, isObserver };
    const same = this.#ofKey.get(host.key) ?? [];
    this.#ofKey.set(host.key, [...same, process]);
    return process;
  }

  #newTraitor(host: Host): Traitor {
    let uses = 0;
    return new Traitor(host, {
      coven: this.coven,
      pen: this.pen(host.key),
      streamOf: (count) => this.dice.stream(LUCK.byzantine, host.id, count),
      tricks: this.options.tricks,
      others: this.keys.filter((key) => key !== host.key),
      carry: (to, message) => this.carry(host, to, message),
      may: (trick) => {
        const name = `lie ${host.id} ${uses++}`;
        const at = this.agenda.now;
        return this.faults.mayOnce("lie", () => ({ name, at, what: trick }));
      },
      restartWiped: () => {
        host.crash(1);
        host.disk.wipe();
        host.boot();
      },
    });
  }

  // What a process asks of its surroundings.

  pen(key: PublicKey): Signer {
    const pen = this.#pens.get(key);
    if (!pen) throw new Error("there is no pen for this key");
    return pen;
  }

  everybody(): readonly PublicKey[] {
    return this.#everybody;
  }

  clock(host: Host): number {
    return START_MS + this.agenda.now + this.clockError(host);
  }

  /** By how much a clock is wrong: after the network has healed, hardly. */
  clockError({ id }: Host): number {
    const { skewMs, clockTrouble } = this.options;
    if (this.isHealed) {
      this.#goodClocks[id] ??= this.dice.throw(LUCK.clock, id, 1) * 100;
      return this.#goodClocks[id];
    }
    if (skewMs === 0 && !clockTrouble) return 0;
    this.#mayBeWrong[id] ??= this.faults.may(0, "clock", `${id}`, "wrong");
    if (!this.#mayBeWrong[id]) return 0;
    const skew = (this.dice.throw(LUCK.clock, id) * 2 - 1) * skewMs;
    if (!clockTrouble || this.dice.throw(LUCK.clock, id, 2) < 0.5) return skew;
    if (this.dice.throw(LUCK.clock, id, 3) < 0.3) return skew - this.agenda.now;
    const jump = this.dice.throw(LUCK.clock, id, 4, Math.floor(this.agenda.now / 2_000));
    return skew + (jump * 2 - 1) * 5_000;
  }

  sync(host: Host, end: () => void): void {
    if (this.#isFull(host)) return;
    const { fsyncMsMin, fsyncMsMax, deltaMs } = this.options;
    const most = this.isHealed ? Math.min(fsyncMsMax, 0.1 * deltaMs) : fsyncMsMax;
    this.agenda.after(logUniform(this.#duration(host), fsyncMsMin, most), end);
  }

  /** From some time on nothing becomes durable any more, and the process has to keep its mouth shut. */
  #isFull({ id }: Host): boolean {
    if (this.processes[id]?.part !== "full") return false;
    const from = this.dice.throw(LUCK.rot, id, 1) * this.options.healMs;
    return this.agenda.now >= from && this.faults.may(from, "disk", `${id}`, "full");
  }

  lasts(host: Host): number {
    return this.#duration(host) * 2;
  }

  #duration(host: Host): number {
    return this.dice.throw(LUCK.fsync, host.id, this.#lasted++);
  }

  carry(host: Host, to: PublicKey, message: Message): void {
    if (message !== this.#carried) this.#see(message);
    for (const receiver of this.#ofKey.get(to) ?? []) {
      if (receiver.host.key === host.key) continue;
      const fate = this.network.fate(this.agenda.now, host.id, receiver.host.id, message);
      if (fate.length === 0) this.watch.tally.lost++;
      for (const ms of fate) this.#deliver({ ms, host, receiver: receiver.host, message });
    }
  }

  #deliver({ ms, host, receiver, message }: Delivery): void {
    const wasHealed = this.isHealed;
    this.agenda.after(ms, () => {
      // What was under way when the network healed arrives within Δ or not at all.
      const isLeftOver = !wasHealed && this.agenda.now > this.healedAt + this.options.deltaMs;
      if (isLeftOver || !receiver.isUp) return;
      const arrived = this.options.codec ? this.#overBytes(host, message) : message;
      if (arrived) receiver.receive(host.key, arrived);
    });
  }

  /** The message as its bytes say it; a liar may have put something together that has none. */
  #overBytes(host: Host, message: Message): Message | null {
    try {
      const known = bytes.get(message) ?? encodeMessage(message);
      bytes.set(message, known);
      return decodeMessage(known);
    } catch (thrown) {
      if (this.watch.safety.isLiar(host)) return null;
      throw thrown;
    }
  }

  /** What is sent to all is seen once; without liars there is nobody to remember it. */
  #see(message: Message): void {
    this.#carried = message;
    this.#register(message);
    if (this.traitors.length > 0) this.coven.observe(message);
  }

  #register(message: Message): void {
    const { headers } = this.watch.safety.ballots;
    if (message.type === "proposal") headers.set(message.block.hash, message.block.header);
  }

  // What goes wrong.

  crashes(host: Host, point: CrashPoint): boolean {
    const { crashes, crashChance } = this.options;
    if (this.isHealed || this.#crashes >= crashes) return false;
    const at = (this.#points[host.id] ?? 0) + 1;
    this.#points[host.id] = at;
    if (this.dice.throw(LUCK.crash, host.id, at) >= crashChance) return false;
    if (!this.faults.may(this.agenda.now, "crash", `${host.id} ${at}`, point)) return false;
    this.#crashes++;
    this.crash(host);
    return true;
  }

  isBehind(host: Host): boolean {
    if (host.life <= 1) return false;
    if (this.dice.throw(LUCK.survive, host.id, host.life, 1) >= BEHIND) return false;
    return this.faults.may(this.agenda.now, "behind", `${host.id} ${host.life}`);
  }

  /** Stops a process; it starts again after a while, or when the network heals. */
  crash(host: Host): void {
    const thrown = this.dice.throw(LUCK.survive, host.id, host.life);
    if (host.crash(thrown) > 0) this.faults.counts.torn++;
    const down = this.dice.throw(LUCK.downtime, host.id, host.life);
    this.agenda.after(logUniform(down, 1, this.options.downMsMax), () => this.restart(host));
  }

  restart(host: Host): void {
    const { part } = this.processes[host.id] ?? {};
    const isGone = part === "dead" && host.life > 0;
    if (host.isUp || isGone) return;
    this.#afflict(host);
    host.boot();
  }

  /** What happens once to the disk of a process whose part that is. */
  #afflict(host: Host): void {
    const part = this.processes[host.id]?.part ?? "honest";
    if (this.#isAfflicted.has(host.id) || host.life === 0) return;
    if (part !== "rotten" && part !== "stale" && part !== "wiped") return;
    if (!this.faults.may(this.agenda.now, "disk", `${host.id}`, part)) return;
    this.#isAfflicted.add(host.id);
    if (part === "rotten") host.disk.rot();
    if (part === "stale") host.disk.restore(this.dice.throw(LUCK.rot, host.id));
    if (part === "wiped") host.disk.wipe();
  }
}

interface Delivery {
  readonly ms: number;
  readonly host: Host;
  readonly receiver: Host;
  readonly message: Message;
}

interface Place {
  readonly key: number;
  readonly part: Part;
  readonly isObserver: boolean;
}

/** Validators, those who may become some, observers, and the second copy of each twin. */
function layoutOf({ n, parts, epochChanges, observers }: Options) {
  const extras = epochChanges > 0 ? 2 : 0;
  const places: Place[] = Array.from({ length: n + extras + observers }, (_, key) => ({
    key,
    part: parts[key] ?? "honest",
    isObserver: key >= n + extras,
  }));
  const copies = places.filter(({ part }) => part === "twin");
  return { places: [...places, ...copies], keys: places.length };
}

function keyOf(at: number): PublicKey {
  return (at + 1).toString(16).padStart(2, "0").repeat(32) as PublicKey;
}

const bytes = new WeakMap<Message, Uint8Array>();

function configOf({ options, book }: Simulation, me: PublicKey, isObserver: boolean): Config {
  const { deltaMs, timeoutMs, timeoutMsMax, syncPeriod } = options;
  return {
    chainId: CHAIN,
    me,
    role: isObserver ? "observer" : "validator",
    scheme: book,
    deltaMs,
    syncPeriod,
    commitFanoutMax: 16,
    wishFanoutMax: 32,
    timeoutMs,
    timeoutMsMax,
    commitGraceMs: 2 * deltaMs,
    blockIntervalMsMin: 0,
    idleMsMax: null,
    statusIntervalMs: options.statusMs * Math.max(1, options.n / 7),
    resendMsMax: timeoutMsMax,
    driftMsMax: 2_000 + deltaMs,
    stalenessMs: 60_000,
    blockTxsMax: BLOCK_TXS_MAX,
    blockBytesMax: 1 << 20,
    unexecutedMax: 64,
    lagMax: 24,
    lagOver: 4,
    orphanBytesMax: 64 << 20,
  };
}
