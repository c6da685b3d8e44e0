import { genesisBlock } from "@/core/consensus/block.ts";
import type { Config } from "@/core/consensus/config.ts";
import type { Durable } from "@/core/consensus/durable.ts";
import type { Alarm, Effect, Event } from "@/core/consensus/events.ts";
import type { Evidence } from "@/core/consensus/evidence.ts";
import type { Message, Outgoing } from "@/core/consensus/messages.ts";
import type { Committee } from "@/core/consensus/quorum.ts";
import type { Signer } from "@/core/consensus/signatures.ts";
import type { Block, Cert, Hash, PublicKey } from "@/core/consensus/types.ts";
import { Agenda } from "./agenda.ts";
import { Application, type AppState } from "./application.ts";
import { Ballots } from "./ballots.ts";
import type { Book, Core } from "./core.ts";
import { Coven } from "./coven.ts";
import { Disk } from "./disk.ts";
import { Host } from "./host.ts";
import { describeEvent, describeMessage, Journal } from "./journal.ts";
import { RunWatch } from "./run-watch.ts";
import { SafetyWatch } from "./safety-watch.ts";
import type { Bugs } from "./simulation.ts";
import type { Wire } from "./story-wires.ts";
import type { CrashPoint, Surroundings, Watch } from "./surroundings.ts";

/** How a story begins. */
export interface Cast {
  readonly core: Core;
  readonly bugs: Bugs;
  readonly n: number;
  readonly observers: number;
  readonly extras: number;
  readonly liars: readonly number[];
  readonly syncPeriod: number;
  /** Leaders are `(view + seed) mod n`. */
  readonly seed: number;
}

const CHAIN = "c4".repeat(32) as Hash;
const START_MS = 1_700_000_000_000;
export const DELTA_MS = 100;

/** A world in which nothing moves unless the story says so. */
export class StoryWorld implements Surroundings {
  readonly core: Core;
  readonly bugs: Bugs;
  readonly book: Book;
  readonly agenda = new Agenda();
  readonly app: Application;
  readonly genesis: Block;
  readonly genesisApp: AppState;
  readonly committee: Committee;
  readonly hosts: readonly Host[];
  readonly keys: readonly PublicKey[];
  readonly coven: Coven;
  readonly packsGossip = false;
  readonly isBehind = (): boolean => false;
  readonly watch: Watch;
  readonly safety: SafetyWatch;
  /** In the order they left. */
  wires: Wire[] = [];
  /** What has happened since it was last told. */
  told: string[] = [];
  readonly names = new Map<Hash, string>();
  readonly clocks = new Map<number, number>();
  readonly heldDisks = new Set<number>();
  readonly crashPoints = new Map<number, { readonly point: CrashPoint; left: number }>();
  readonly #syncs = new Map<number, () => void>();
  readonly #pens = new Map<PublicKey, Signer>();

  constructor(cast: Cast) {
    const { core, bugs, n, observers, extras, liars } = cast;
    this.core = core;
    this.bugs = bugs;
    this.book = core.newBook();
    this.keys = Array.from({ length: n + extras + observers }, (_, at) => keyOf(at));
    const validators = this.keys.slice(0, n);
    this.app = new Application(this.keys, bugs.app);
    const execRoot = "ee".repeat(32) as Hash;
    const beginning = { chainId: CHAIN, validators, timestampMs: START_MS - 1_000, execRoot };
    this.genesis = genesisBlock(beginning);
    this.names.set(this.genesis.hash, "B0");
    this.genesisApp = this.app.genesis(execRoot, validators, START_MS - 1_000);
    const genesis = this.genesis.hash;
    this.committee = { epoch: 1, validators, genesis, genesisHeight: 0, seed: cast.seed };
    const lying = new Set(liars.map((at) => keyOf(at)));
    const ballots = new Ballots(lying);
    ballots.headers.set(genesis, this.genesis.header);
    ballots.open(this.committee);
    this.safety = new SafetyWatch({
      ballots,
      genesis: this.genesis,
      scheme: this.book,
      liars: lying,
    });
    for (const key of this.keys) this.#pens.set(key, this.#newPen(key));
    this.coven = new Coven(this.book, new Map([...this.#pens].filter(([key]) => lying.has(key))));
    this.watch = this.#newWatch();
    this.hosts = this.keys.map((key, id) => {
      const isObserver = id >= n + extras;
      const config = configOf(this.book, key, cast, isObserver);
      const host = new Host(id, config, new Disk(bugs.disk), this);
      host.initialise(this.committee, !isObserver);
      return host;
    });
  }

  #newPen(key: PublicKey): Signer {
    const signer = this.book.signer(key);
    return {
      publicKey: key,
      sign: (statement) => {
        this.safety.ballots.signed(key, statement);
        return signer.sign(statement);
      },
    };
  }

  #newWatch(): Watch {
    const journal = new Journal((key) => this.idOf(key));
    return new TellingWatch(new RunWatch(this.safety, journal, () => this.agenda.now), this);
  }

  idOf(key: PublicKey): number {
    return this.keys.indexOf(key);
  }

  host(id: number): Host {
    const host = this.hosts[id];
    if (!host) throw new Error(`there is no replica ${id}`);
    return host;
  }

  /** How a block is called: B6 for the first one of view 6, B6' for the next. */
  nameOf(hash: Hash): string {
    return this.names.get(hash) ?? hash.slice(0, 6);
  }

  nameBlock({ hash, header: { epoch, view } }: Block): void {
    if (this.names.has(hash)) return;
    let name = epoch > 1 ? `E${epoch}B${view}` : `B${view}`;
    while ([...this.names.values()].includes(name)) name += "'";
    this.names.set(hash, name);
  }

  tell(line: string): void {
    this.told.push(line);
  }

  // Surroundings.

  pen(key: PublicKey): Signer {
    const pen = this.#pens.get(key);
    if (!pen) throw new Error("there is no pen for this key");
    return pen;
  }

  clock(host: Host): number {
    return START_MS + this.agenda.now + (this.clocks.get(host.id) ?? 0);
  }

  everybody(): readonly PublicKey[] {
    return this.keys;
  }

  carry(host: Host, to: PublicKey, message: Message): void {
    this.coven.observe(message);
    if (message.type === "proposal") {
      this.safety.ballots.headers.set(message.block.hash, message.block.header);
      this.nameBlock(message.block);
    }
    this.wires.push({ from: host.id, to: this.idOf(to), message });
  }

  sync(host: Host, end: () => void): void {
    if (this.heldDisks.has(host.id)) this.#syncs.set(host.id, end);
    else this.agenda.after(0, end);
  }

  /** Lets a disk that was held go on. */
  releaseDisk(id: number): void {
    this.heldDisks.delete(id);
    const end = this.#syncs.get(id);
    this.#syncs.delete(id);
    end?.();
  }

  lasts(): number {
    return 0;
  }

  crashes(host: Host, point: CrashPoint): boolean {
    const planned = this.crashPoints.get(host.id);
    if (planned?.point !== point || planned.left-- > 0) return false;
    this.crashPoints.delete(host.id);
    this.tell(`${host.id} crashes ${point}`);
    host.crash(0);
    return true;
  }
}

/** Tells what happens as a story does, and hands it on to who judges. */
class TellingWatch implements Watch {
  readonly #inner: Watch;
  readonly #world: StoryWorld;

  constructor(inner: Watch, world: StoryWorld) {
    this.#inner = inner;
    this.#world = world;
  }

  booted(host: Host, durable: Durable | null): void {
    this.#inner.booted(host, durable);
  }

  stepped(host: Host, event: Event, effects: readonly Effect[]): void {
    const said = effects.flatMap((effect) => describeOutcome(this.#world, effect));
    const isQuiet = event.type === "timer" && event.timer === "status";
    if (said.length > 0 && !isQuiet) {
      this.#world.tell(`${host.id} ← ${this.#what(event)}`);
      for (const line of said) this.#world.tell(`    ${line}`);
    }
    this.#inner.stepped(host, event, effects);
  }

  #what(event: Event): string {
    const idOf = (key: PublicKey): number => this.#world.idOf(key);
    if (event.type !== "message") return describeEvent(event, idOf);
    const name = (hash: Hash): string => this.#world.nameOf(hash);
    return `${idOf(event.from)}: ${describeMessage(event.message, name)}`;
  }

  persisted(host: Host, durable: Durable): void {
    this.#inner.persisted(host, durable);
  }

  sealed(host: Host, message: Message): void {
    this.#inner.sealed(host, message);
  }

  committed(host: Host, blocks: readonly Block[], cert: Cert): void {
    this.#inner.committed(host, blocks, cert);
  }

  executed(host: Host, state: AppState): void {
    this.#inner.executed(host, state);
  }

  reported(host: Host, evidence: Evidence): void {
    this.#inner.reported(host, evidence);
  }

  /** A story may be about an alarm: it is told, and not a failure by itself. */
  alarmed(_host: Host, _alarm: Alarm): void {}
}

/** What a story tells of an effect. */
function describeOutcome(world: StoryWorld, effect: Effect): readonly string[] {
  const idsOf = (keys: readonly PublicKey[]): string =>
    keys.map((key) => world.idOf(key)).join(",");
  switch (effect.type) {
    case "send":
      return describeSent(world, effect.message, effect.to === "all" ? "all" : idsOf(effect.to));
    case "commit":
      return [`COMMIT ${effect.blocks.map(({ hash }) => world.nameOf(hash)).join(" ")}`];
    case "switch_epoch":
      return [`EPOCH ${effect.committee.epoch}`];
    case "evidence":
      return [`EVIDENCE ${effect.evidence.type} of ${effect.evidence.first.signer}`];
    case "alarm":
      return [`ALARM ${effect.alarm}`];
    case "fetch":
      return [`fetch ${world.nameOf(effect.hash)} from ${idsOf(effect.from)}`];
    case "trace":
      return [`(${effect.what})`];
    default:
      return [];
  }
}

function describeSent(world: StoryWorld, message: Outgoing, to: string): readonly string[] {
  if (message.type === "status") return [];
  if (message.type === "proposal") world.nameBlock(message.block);
  return [`→ ${to}: ${describeMessage(message, (hash) => world.nameOf(hash))}`];
}

function keyOf(at: number): PublicKey {
  return (at + 1).toString(16).padStart(2, "0").repeat(32) as PublicKey;
}

function configOf(book: Book, me: PublicKey, { syncPeriod }: Cast, isObserver: boolean): Config {
  return {
    chainId: CHAIN,
    me,
    role: isObserver ? "observer" : "validator",
    scheme: book,
    deltaMs: DELTA_MS,
    syncPeriod,
    commitFanoutMax: 16,
    wishFanoutMax: 32,
    timeoutMs: 10 * DELTA_MS,
    timeoutMsMax: 80 * DELTA_MS,
    commitGraceMs: 2 * DELTA_MS,
    blockIntervalMsMin: 0,
    idleMsMax: null,
    statusIntervalMs: 100 * DELTA_MS,
    resendMsMax: 80 * DELTA_MS,
    driftMsMax: 2_000 + DELTA_MS,
    stalenessMs: 60_000,
    blockTxsMax: 8,
    blockBytesMax: 1 << 20,
    unexecutedMax: 64,
    lagMax: 24,
    lagOver: 4,
    orphanBytesMax: 64 << 20,
  };
}
