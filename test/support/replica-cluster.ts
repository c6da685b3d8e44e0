import { SymbolicSignatures } from "#test/support/symbolic-signatures.ts";
import { genesisBlock } from "@/core/consensus/block.ts";
import type { Config } from "@/core/consensus/config.ts";
import { type Durable, genesisDurable } from "@/core/consensus/durable.ts";
import { epochOf } from "@/core/consensus/epoch-sync.ts";
import type {
  Boot,
  BuildPayload,
  Effect,
  Event,
  Execution,
  Fetch,
  Send,
  ServeEpochs,
  TimerId,
} from "@/core/consensus/events.ts";
import type { Message } from "@/core/consensus/messages.ts";
import { type Committee, leaderOf, newCommittee } from "@/core/consensus/quorum.ts";
import { type Signer, seal } from "@/core/consensus/signatures.ts";
import type { Replica, State } from "@/core/consensus/state.ts";
import { step } from "@/core/consensus/step.ts";
import {
  type Block,
  type EpochProof,
  type Hash,
  NO_HASH,
  type PublicKey,
  type Tx,
} from "@/core/consensus/types.ts";
import { isVerified } from "@/core/consensus/verify-message.ts";

/** 32 equal bytes as a hash or a key. */
const filled = (byte: number): string => byte.toString(16).padStart(2, "0").repeat(32);
export const CHAIN = filled(0xc4) as Hash;
export const EPOCH_MS = 1_700_000_000_000;

/** A configuration with Δ = 100 ms, and τ0 = 1 s as for a local network. */
export function configFor(me: PublicKey, scheme: SymbolicSignatures): Config {
  return {
    chainId: CHAIN,
    me,
    role: "validator",
    scheme,
    deltaMs: 100,
    syncPeriod: 1,
    commitFanoutMax: 16,
    wishFanoutMax: 32,
    timeoutMs: 1_000,
    timeoutMsMax: 30_000,
    commitGraceMs: 200,
    blockIntervalMsMin: 0,
    idleMsMax: null,
    statusIntervalMs: 10_000,
    resendMsMax: 10_000,
    driftMsMax: 2_100,
    stalenessMs: 60_000,
    blockTxsMax: 1_000,
    blockBytesMax: 1 << 20,
    unexecutedMax: 64,
    lagMax: 256,
    lagOver: 8,
    orphanBytesMax: 64 << 20,
  };
}

/** A message on its way. */
export interface Envelope {
  readonly from: number;
  readonly to: number;
  readonly message: Message;
}

/** An event without its time. */
export type Local = Event extends infer One
  ? One extends Event
    ? Omit<One, "now">
    : never
  : never;

/** What the runtime of a replica has to tell it. */
export interface Answer {
  readonly to: number;
  readonly event: Local;
}

/** One replica and the runtime around it: disk, mempool and application are memory. */
export class Host {
  state: State | null = null;
  config: Config;
  readonly signer: Signer;
  durable: Durable | null;
  committee: Committee;
  readonly timers = new Map<TimerId, { readonly generation: number; readonly at: number }>();
  readonly stored = new Map<Hash, Block>();
  readonly chain: Block[];
  readonly proofs: EpochProof[] = [];
  readonly mempool: Tx[] = [];
  readonly effects: Effect[] = [];
  executed: Execution;

  constructor(config: Config, signer: Signer, committee: Committee, genesis: Block) {
    this.config = config;
    this.signer = signer;
    this.committee = committee;
    this.durable = genesisDurable(committee);
    this.chain = [genesis];
    this.executed = { height: 0, root: genesis.header.execRoot, pendingValidators: null };
  }

  get replica(): Readonly<Replica> {
    if (this.state === null) throw new Error("this replica has not booted");
    return this.state.replica;
  }

  /** What a start finds on disk. */
  get boot(): Boot {
    const committed = this.chain.at(-1);
    if (!committed) throw new Error("there is no genesis");
    const blocks = [...this.stored.values()]
      .filter(({ header }) => header.height > committed.header.height)
      .sort((a, b) => a.header.height - b.header.height);
    const { durable, committee, executed } = this;
    const { header } = committed;
    const chain = { committee, committed: header, blocks };
    return { type: "boot", durable, ...chain, executed, executedBefore: [] };
  }

  /** One step; the effects are noted, not done. */
  step(event: Event): readonly Effect[] {
    const { state, effects } = step(this.state, event, this.config);
    this.state = state;
    this.effects.push(...effects);
    return effects;
  }
}

/** Replicas, and a network that delivers when it is told to. */
export class Cluster {
  readonly book = new SymbolicSignatures();
  readonly genesis: Block;
  readonly hosts: readonly Host[];
  readonly committee: Committee;
  now = EPOCH_MS;
  inFlight: Envelope[] = [];
  readonly #answers: (Envelope | Answer)[] = [];
  #isAnswering = false;
  /** What is sent while this says no is lost. */
  passes: (envelope: Envelope) => boolean = () => true;

  constructor(n: number, changed: Partial<Config> = {}, members = n) {
    const keys = Array.from({ length: n }, (_, at) => filled(at + 1) as PublicKey);
    const validators = keys.slice(0, members);
    this.genesis = genesisLedBy(validators);
    this.committee = newCommittee({
      epoch: 1,
      validators,
      genesis: this.genesis.hash,
      genesisHeight: 0,
    });
    this.hosts = keys.map((key) => {
      const config = { ...configFor(key, this.book), ...changed };
      return new Host(config, this.book.signer(key), this.committee, this.genesis);
    });
  }

  host(at: number): Host {
    const host = this.hosts[at];
    if (!host) throw new Error(`there is no replica ${at}`);
    return host;
  }

  /** Boots all of them and delivers what they say. */
  start(): this {
    for (const at of this.hosts.keys()) this.give(at, this.host(at).boot);
    return this.settle();
  }

  leader(view: number): Host {
    return this.host(leaderOf(this.committee, view));
  }

  /** Gives an event to a replica and does what it says. */
  give(at: number, event: Local): readonly Effect[] {
    const effects = this.host(at).step({ ...event, now: this.now } as Event);
    for (const effect of effects) this.#perform(at, effect);
    if (!this.#isAnswering) this.#answerAll();
    return effects;
  }

  /** What runtimes answer, and what replicas send to themselves, comes before anything else. */
  #answerAll(): void {
    this.#isAnswering = true;
    for (let next = this.#answers.shift(); next; next = this.#answers.shift())
      if ("event" in next) this.give(next.to, next.event);
      else this.deliver(next);
    this.#isAnswering = false;
  }

  /** Delivers a message from one replica to another, now and without the network. */
  deliver({ from, to, message }: Envelope): readonly Effect[] {
    const { committee } = this.host(to).replica;
    const isMine = (epochOf(message) ?? committee.epoch) === committee.epoch;
    if (isMine && !isVerified(this.book, committee, message))
      throw new Error(`${message.type} is not verified`);
    return this.give(to, { type: "message", from: this.host(from).config.me, message });
  }

  /** Delivers everything that is on its way, and what follows from it. */
  settle(): this {
    for (let next = this.inFlight.shift(); next; next = this.inFlight.shift()) this.deliver(next);
    return this;
  }

  /** Lets time pass; timers fire at their time, and all is delivered at once. */
  advance(ms: number): this {
    return this.#passTime(ms, () => this.settle());
  }

  /** Lets time pass; timers fire, and nothing is delivered. */
  pass(ms: number): this {
    return this.#passTime(ms, () => {});
  }

  #passTime(ms: number, afterEach: () => void): this {
    const end = this.now + ms;
    for (let next = this.#nextTimer(end); next; next = this.#nextTimer(end)) {
      this.now = Math.max(this.now, next.at);
      this.host(next.host).timers.delete(next.timer);
      this.fire(next.host, next.timer, next.generation);
      afterEach();
    }
    this.now = end;
    return this;
  }

  fire(at: number, timer: TimerId, generation: number): readonly Effect[] {
    return this.give(at, { type: "timer", timer, generation });
  }

  /** Puts a transaction into every mempool. */
  submit(tx: Tx): this {
    for (const [at, host] of this.hosts.entries()) {
      host.mempool.push(tx);
      this.tellWork(at);
    }
    return this.settle();
  }

  tellWork(at: number): void {
    const pending = this.host(at).mempool.length > 0;
    this.give(at, { type: "work", pending });
  }

  #nextTimer(end: number) {
    const all = this.hosts.flatMap((host, at) =>
      [...host.timers].map(([timer, set]) => ({ host: at, timer, ...set })),
    );
    const due = all.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
    return due[0];
  }

  #perform(at: number, effect: Effect): void {
    const host = this.host(at);
    switch (effect.type) {
      case "persist":
        host.durable = effect.durable;
        return;
      case "send":
        this.#send(at, effect);
        break;
      case "set_timer":
        host.timers.set(effect.timer, {
          generation: effect.generation,
          at: this.now + effect.ms,
        });
        return;
      case "cancel_timer":
        host.timers.delete(effect.timer);
        return;
      case "switch_epoch":
        host.committee = effect.committee;
        host.proofs.push(effect.proof);
        return;
      case "serve_epochs":
        this.#serveEpochs(at, effect);
        break;
      case "store_block":
        host.stored.set(effect.block.hash, effect.block);
        return;
      case "commit":
        host.chain.push(...effect.blocks);
        this.#execute(at, effect.blocks);
        break;
      case "build_payload":
        this.#build(at, effect);
        break;
      case "fetch":
        this.#serve(at, effect);
        break;
    }
  }

  #send(at: number, { to, message }: Send): void {
    const sealed = seal(message, this.host(at).signer);
    const receivers = to === "all" ? this.hosts.map(({ config }) => config.me) : to;
    for (const key of receivers) {
      const envelope = { from: at, to: this.indexOf(key), message: sealed };
      if (envelope.to === at) this.#answers.push(envelope);
      else if (this.passes(envelope)) this.inFlight.push(envelope);
    }
  }

  /** All that waits in the mempool and is not on the branch; it is never more than fits. */
  #build(at: number, { view, parent }: BuildPayload): void {
    const { mempool, stored, chain } = this.host(at);
    const onBranch = new Set<Tx>();
    const end = chain.at(-1)?.hash;
    for (let hash = parent; hash !== end; hash = stored.get(hash)?.header.parent ?? (end as Hash))
      for (const tx of stored.get(hash)?.payload.inline ?? []) onBranch.add(tx);
    const inline = mempool.filter((tx) => !onBranch.has(tx));
    const payload = inline.length > 0 ? { inline, batches: [] } : null;
    this.#local(at, { type: "payload_ready", view, payload, evidenceRoot: NO_HASH });
  }

  #execute(at: number, blocks: readonly Block[]): void {
    const host = this.host(at);
    for (const { header, payload } of blocks) {
      for (const tx of payload.inline) remove(host.mempool, tx);
      const wanted = header.nextValidatorsHash ? null : host.executed.pendingValidators;
      const pendingValidators = this.#setIn(payload) ?? wanted;
      host.executed = { height: header.height, root: header.payloadRoot, pendingValidators };
      this.#local(at, { type: "executed", ...host.executed });
    }
    this.#local(at, { type: "work", pending: host.mempool.length > 0 });
  }

  /** A transaction that begins with 0xff asks for these validators from the next epoch on. */
  #setIn({ inline }: Block["payload"]): readonly PublicKey[] | null {
    const asked = inline.findLast((tx) => tx[0] === 0xff);
    return asked ? [...asked.subarray(1)].map((at) => this.host(at).config.me) : null;
  }

  #serveEpochs(at: number, { to, fromEpoch }: ServeEpochs): void {
    const proofs = this.host(at).proofs.filter(({ cert }) => cert.epoch >= fromEpoch);
    const envelope = { from: at, to: this.indexOf(to) };
    const message = { type: "epoch_proofs", proofs } as const;
    if (this.passes({ ...envelope, message })) this.inFlight.push({ ...envelope, message });
  }

  #serve(at: number, { hash, untilHeight, from }: Fetch): void {
    const [peer] = from;
    if (peer === undefined) return;
    const { stored } = this.host(this.indexOf(peer));
    const blocks: Block[] = [];
    for (let block = stored.get(hash); block; block = stored.get(block.header.parent))
      if (block.header.height > untilHeight) blocks.push(block);
    const envelope = { from: this.indexOf(peer), to: at };
    const message = { type: "blocks", blocks, cert: null } as const;
    if (this.passes({ ...envelope, message })) this.inFlight.push({ ...envelope, message });
  }

  #local(to: number, event: Local): void {
    this.#answers.push({ to, event });
  }

  indexOf(key: PublicKey): number {
    return this.hosts.findIndex(({ config }) => config.me === key);
  }
}

function remove(mempool: Tx[], tx: Tx): void {
  const at = mempool.indexOf(tx);
  if (at >= 0) mempool.splice(at, 1);
}

/** A genesis from which the leader of a view is the view modulo n, as in the design's examples. */
function genesisLedBy(validators: readonly PublicKey[]): Block {
  const execRoot = filled(0xee) as Hash;
  for (let timestampMs = EPOCH_MS; ; timestampMs--) {
    const genesis = genesisBlock({ chainId: CHAIN, validators, timestampMs, execRoot });
    if (Number.parseInt(genesis.hash.slice(0, 8), 16) % validators.length === 0) return genesis;
  }
}
