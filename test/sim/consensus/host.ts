import type { Config } from "@/core/consensus/config.ts";
import { genesisDurable } from "@/core/consensus/durable.ts";
import type { Effect, Event, Send, TimerId, Token } from "@/core/consensus/events.ts";
import type { Message, Outgoing } from "@/core/consensus/messages.ts";
import type { Committee } from "@/core/consensus/quorum.ts";
import type { State } from "@/core/consensus/state.ts";
import type { Block, Ms, PublicKey, Tx } from "@/core/consensus/types.ts";
import { type AppState, readTx, VALID_MS } from "./application.ts";
import type { Disk, Frame } from "./disk.ts";
import { Asking, answerBlocks, answerProofs, epochOf } from "./exchange.ts";
import { HostChain } from "./host-chain.ts";
import { Mempool } from "./mempool.ts";
import type { CrashPoint, Surroundings } from "./surroundings.ts";

/** What leaves a process, before it is on any wire; a liar puts itself in between. */
export type Outlet = (to: PublicKey, message: Message) => void;

/** A transaction, and others in the same frame. */
type Gossip = Extract<Message, { readonly type: "tx" }> & { readonly more?: readonly Tx[] };

const GOSSIP_TXS_MAX = 64;
const NOTHING_SEEN = { version: -1, highCert: "", height: -1 };

/**
 * One process: the runtime of section 5 around `step`. It keeps the order of disk and network, has a
 * mempool and an application, and forgets in a crash what is not on its disk.
 */
export class Host {
  readonly id: number;
  readonly key: PublicKey;
  readonly config: Config;
  readonly disk: Disk;
  mempool = new Mempool();
  /** Null while it is down. */
  state: State | null = null;
  /** How often it was started; what was meant for an earlier life is dropped. */
  life = 0;
  readonly timers = new Map<TimerId, number>();
  readonly chain: HostChain;
  outlet: Outlet;
  readonly asking: Asking;
  readonly #world: Surroundings;
  #held: { readonly send: Send }[] = [];
  #clock = 0;
  #hadWork = false;
  #workSeen = NOTHING_SEEN;
  #executing = false;
  #stepping = false;

  constructor(id: number, config: Config, disk: Disk, world: Surroundings) {
    this.id = id;
    this.key = config.me;
    this.config = config;
    this.disk = disk;
    this.#world = world;
    this.chain = new HostChain(world, () => this.now);
    this.outlet = (to, message) => world.carry(this, to, message);
    this.asking = new Asking(this);
  }

  /** What `validator init` writes. */
  initialise(committee: Committee, isValidator: boolean): void {
    this.disk.append({ type: "epoch", committee, proof: null }, true);
    if (isValidator)
      this.disk.append({ type: "record", durable: genesisDurable(committee), token: 0 }, true);
    this.disk.beginSync();
    this.disk.endSync();
  }

  get blocks(): HostChain["blocks"] {
    return this.chain.blocks;
  }

  get proofs(): HostChain["proofs"] {
    return this.chain.proofs;
  }

  get committed(): Block {
    return this.chain.committed;
  }

  get app(): AppState {
    return this.chain.app;
  }

  get isUp(): boolean {
    return this.state !== null;
  }

  get now(): Ms {
    this.#clock = Math.max(this.#clock, Math.floor(this.#world.clock(this)));
    return this.#clock;
  }

  /** Starts in the order of §8.2. */
  boot(): void {
    this.life++;
    this.#clock = 0;
    const found = this.disk.load();
    const committee = this.chain.load(found, this.#world.isBehind(this));
    this.#world.watch.booted(this, found.durable);
    this.step({
      type: "boot",
      durable: found.durable,
      committee,
      committed: this.committed.header,
      blocks: this.chain.above(),
      executed: this.chain.execution(),
      executedBefore: this.chain.executedBefore,
      now: this.now,
    });
  }

  /** What is in memory is gone, and this part (0 to 1) of what was not durable stays; the frames lost. */
  crash(survives: number): number {
    this.state = null;
    this.#stepping = false;
    this.timers.clear();
    this.#held = [];
    this.#hadWork = false;
    this.#workSeen = NOTHING_SEEN;
    this.#executing = false;
    this.mempool = new Mempool();
    this.asking.forget();
    return this.disk.crash(survives);
  }

  /** Later, if this life lasts so long. */
  later(ms: Ms, run: () => void): void {
    const { life } = this;
    this.#world.agenda.after(ms, () => {
      if (this.life === life && this.isUp) run();
    });
  }

  /** A message from a peer, as it came off the wire. */
  receive(from: PublicKey, message: Message): void {
    if (!this.state) return;
    switch (message.type) {
      case "tx":
        this.admit(message.tx);
        for (const tx of (message as Gossip).more ?? []) this.admit(tx);
        return;
      case "get_blocks":
        this.#reply(from, answerBlocks(this, message));
        return;
      default:
        this.#hear(from, message, this.state);
    }
  }

  #hear(from: PublicKey, message: Message, { replica: { committee } }: State): void {
    // What is of another epoch cannot be verified here; the replica looks at nothing but its epoch.
    const epoch = epochOf(message);
    const isElsewhere = epoch !== null && epoch !== committee.epoch;
    const { core, book, bugs } = this.#world;
    const isSure = isElsewhere || bugs.believesAll || from === this.key;
    if (isSure || core.isVerified(book, committee, message))
      this.step({ type: "message", from, message, now: this.now });
  }

  #reply(to: PublicKey, message: Message | null): void {
    if (message) this.outlet(to, message);
  }

  /** A transaction from a client or a peer; false when it is known or not admitted. */
  admit(tx: Tx, isFromClient = false): boolean {
    if (this.mempool.has(tx) || this.app.executed.has(readTx(tx).id)) return false;
    if (!this.#isAdmissible(tx) || !this.mempool.add(tx)) return false;
    if (isFromClient) this.#tellAll({ type: "tx", tx });
    this.#lookForWork();
    return true;
  }

  /**
   * Neither expired nor valid for longer than one that was made by now may be (§11). Without that a
   * liar's transaction from the future would lie in every mempool and no block could execute it.
   */
  #isAdmissible(tx: Tx): boolean {
    const newestMs = Math.max(this.app.timestampMs, this.now);
    return !this.#isExpired(tx) && readTx(tx).validUntilMs <= newestMs + VALID_MS;
  }

  #isExpired(tx: Tx): boolean {
    return readTx(tx).validUntilMs < this.app.timestampMs;
  }

  /** One frame where frames hold more than one transaction, else a message for each. */
  #gossip(txs: readonly Tx[]): void {
    const [tx, ...more] = txs;
    if (tx && this.#world.packsGossip) this.#tellAll({ type: "tx", tx, more } as Gossip);
    else for (const one of txs) this.#tellAll({ type: "tx", tx: one });
  }

  #tellAll(message: Message): void {
    for (const to of this.#world.everybody()) if (to !== this.key) this.outlet(to, message);
  }

  /** One step of the replica, and everything it asks for. */
  step(event: Event): void {
    if (this.#stepping) throw new Error("one step at a time");
    this.#stepping = true;
    const { state, effects } = this.#world.core.step(this.state, event, this.config);
    this.state = state;
    this.#world.watch.stepped(this, event, effects);
    for (const effect of effects) {
      if (this.#crashesAt("before effect")) return;
      this.#do(effect);
    }
    if (!this.isUp) return;
    this.#stepping = false;
    this.#sync();
    this.#lookForWork();
  }

  #do(effect: Effect): void {
    const { watch } = this.#world;
    switch (effect.type) {
      case "persist":
        watch.persisted(this, effect.durable);
        this.disk.append({ ...effect, type: "record" }, !effect.lazy);
        return;
      case "send":
        this.#send(effect);
        return;
      case "set_timer":
        this.#setTimer(effect.timer, effect.generation, effect.ms);
        return;
      case "cancel_timer":
        this.timers.delete(effect.timer);
        return;
      case "build_payload":
        this.later(this.#world.lasts(this, "build"), () => this.#build(effect));
        return;
      case "evidence":
        watch.reported(this, effect.evidence);
        return;
      case "alarm":
        watch.alarmed(this, effect);
        return;
      case "trace":
        return;
      default:
        this.#doWithChain(effect);
    }
  }

  #doWithChain(effect: ChainEffect): void {
    switch (effect.type) {
      case "store_block":
        this.blocks.set(effect.block.hash, effect.block);
        this.disk.append({ type: "block", block: effect.block }, true);
        return;
      case "fetch":
        this.asking.onFetch(effect);
        return;
      case "commit":
        this.#commit(effect.blocks);
        this.#world.watch.committed(this, effect.blocks, effect.cert);
        return;
      case "switch_epoch":
        this.proofs.set(effect.committee.epoch - 1, effect.proof);
        this.disk.append({ ...effect, type: "epoch" }, true);
        return;
      case "serve_epochs":
        this.#reply(effect.to, answerProofs(this, effect.fromEpoch));
        return;
      case "readmit":
        for (const tx of effect.block.payload.inline) this.admit(tx, true);
        return;
      case "gossip":
        this.#gossip(this.mempool.oldest(GOSSIP_TXS_MAX));
    }
  }

  #setTimer(timer: TimerId, generation: number, ms: Ms): void {
    this.timers.set(timer, generation);
    this.later(ms, () => {
      if (this.timers.get(timer) !== generation) return;
      this.timers.delete(timer);
      this.step({ type: "timer", timer, generation, now: this.now });
    });
  }

  // Disk and wire: what a record enables leaves when the record is durable.

  #send(send: Send): void {
    const { after } = send;
    const isFree = after === null || this.#world.bugs.sendsBeforeSync || this.disk.holds(after);
    if (isFree) this.#release(send);
    else {
      this.#held.push({ send });
      if (this.#world.bugs.hearsItselfEarly) this.#hearMyself(send);
    }
  }

  #release({ to, message }: Send): void {
    if (this.#crashesAt("before send")) return;
    const sealed = this.#seal(message);
    const receivers = to === "all" ? this.#world.everybody() : to;
    let isFirst = true;
    for (const receiver of receivers) {
      if (!isFirst && this.#crashesAt("between sends")) return;
      isFirst = false;
      if (receiver === this.key) this.later(0, () => this.receive(this.key, sealed));
      else this.outlet(receiver, sealed);
    }
  }

  #hearMyself({ to, message }: Send): void {
    if (to !== "all" && !to.includes(this.key)) return;
    const sealed = this.#world.core.seal(message, this.#world.book.signer(this.key));
    this.later(0, () => this.receive(this.key, sealed));
  }

  #seal(message: Outgoing): Message {
    const sealed = this.#world.core.seal(message, this.#world.pen(this.key));
    this.#world.watch.sealed(this, sealed);
    return sealed;
  }

  #crashesAt(point: CrashPoint): boolean {
    return !this.isUp || this.#world.crashes(this, point);
  }

  #sync(): void {
    if (!this.isUp || !this.disk.beginSync()) return;
    const { life } = this;
    this.#world.sync(this, () => {
      if (this.life !== life || !this.isUp) return;
      const frames = this.disk.endSync();
      if (this.#crashesAt("after sync")) return;
      this.#releaseHeld();
      for (const frame of frames) this.#onDurable(frame);
      this.#sync();
    });
  }

  #releaseHeld(): void {
    const isFree = (token: Token | null): boolean => token === null || this.disk.holds(token);
    while (this.#held.length > 0 && isFree(this.#held[0]?.send.after ?? null)) {
      const first = this.#held.shift();
      if (first) this.#release(first.send);
    }
  }

  #onDurable(frame: Frame): void {
    if (frame.type === "block" && this.isUp)
      this.step({ type: "block_stored", hash: frame.block.hash, now: this.now });
  }

  // Mempool and application.

  #commit(blocks: readonly Block[]): void {
    this.chain.commit(blocks);
    this.disk.append({ type: "committed", hash: this.committed.hash }, false);
    if (this.#executing) return;
    this.#executing = true;
    this.#executeNext();
  }

  #executeNext(): void {
    this.later(this.#world.lasts(this, "execute"), () => {
      this.#executing = this.chain.execute();
      if (!this.#executing) return;
      this.#world.watch.executed(this, this.app);
      this.mempool.drop((tx) => this.app.executed.has(readTx(tx).id) || this.#isExpired(tx));
      this.step({ type: "executed", ...this.chain.execution(), now: this.now });
      this.#executeNext();
    });
  }

  #build({ view, parent, txsMax }: Effect & { readonly type: "build_payload" }): void {
    const inline = this.mempool.oldest(txsMax, this.chain.idsOn(parent));
    const payload = inline.length > 0 ? { inline, batches: [] } : null;
    this.step({
      type: "payload_ready",
      view,
      payload,
      evidenceRoot: this.#world.genesis.header.parent,
      now: this.now,
    });
  }

  /** Says so when there begins or ceases to be a transaction that is not on the branch (§7.4). */
  #lookForWork(): void {
    if (!this.state || this.#stepping) return;
    const { block } = this.state.replica.durable.highCert;
    const { version } = this.mempool;
    const { height } = this.app;
    const seen = this.#workSeen;
    if (seen.version === version && seen.highCert === block && seen.height === height) return;
    this.#workSeen = { version, highCert: block, height };
    const pending = this.mempool.size > 0 && this.mempool.hasBeside(this.chain.idsOn(block));
    if (pending === this.#hadWork) return;
    this.#hadWork = pending;
    this.step({ type: "work", pending, now: this.now });
  }
}

type ChainEffect = Extract<
  Effect,
  {
    readonly type:
      | "store_block"
      | "fetch"
      | "commit"
      | "switch_epoch"
      | "serve_epochs"
      | "readmit"
      | "gossip";
  }
>;
