import { configFor } from "#test/support/replica-cluster.ts";
import type { SymbolicSignatures } from "#test/support/symbolic-signatures.ts";
import { newBlock, sumUp } from "@/core/consensus/block.ts";
import type { Config } from "@/core/consensus/config.ts";
import { genesisDurable } from "@/core/consensus/durable.ts";
import type { Boot, Effect, Event, TimerId } from "@/core/consensus/events.ts";
import type { Message, Outgoing, Wish } from "@/core/consensus/messages.ts";
import { leaderOf, quorumOf } from "@/core/consensus/quorum.ts";
import { seal } from "@/core/consensus/signatures.ts";
import type { Replica, State } from "@/core/consensus/state.ts";
import { step } from "@/core/consensus/step.ts";
import {
  type Block,
  type Cert,
  type Header,
  NO_HASH,
  type Payload,
  type TC,
} from "@/core/consensus/types.ts";
import { isVerified } from "@/core/consensus/verify-message.ts";
import { CHAIN, symbolicWorld, type World } from "./world.ts";

type Local = Event extends infer One ? (One extends Event ? Omit<One, "now"> : never) : never;

/** A payload of one transaction. */
export const ONE_TX: Payload = { inline: [Uint8Array.of(7)], batches: [] };

/** One replica, and a world of others whose every signature the test has. */
export class Solo {
  readonly world: World;
  readonly config: Config;
  readonly me: number;
  now = 1_700_000_000_100;
  state: State | null = null;
  /** Of the last step, and of all steps. */
  effects: readonly Effect[] = [];
  readonly all: Effect[] = [];

  /** It leads view n, and the others the views before. */
  constructor(n = 4, changed: Partial<Config> = {}) {
    this.world = symbolicWorld(n);
    const me = leaderOf(this.world.committee, n);
    this.me = me;
    const { publicKey } = this.world.signer(me);
    const scheme = this.world.scheme as SymbolicSignatures;
    this.config = { ...configFor(publicKey, scheme), chainId: CHAIN, ...changed };
  }

  get replica(): Readonly<Replica> {
    if (this.state === null) throw new Error("the replica has not booted");
    return this.state.replica;
  }

  boot(changed: Partial<Boot> = {}): this {
    const { committee, genesis } = this.world;
    const executed = { height: 0, root: genesis.header.execRoot, pendingValidators: null };
    const durable = genesisDurable(committee);
    const blocks: Block[] = [];
    const committed = genesis.header;
    this.state = null;
    const found = { durable, committee, committed, blocks, executed, executedBefore: [] };
    this.give({ type: "boot", ...found, ...changed });
    return this;
  }

  give(event: Local): readonly Effect[] {
    const stepped = step(this.state, { ...event, now: this.now } as Event, this.config);
    this.state = stepped.state;
    this.effects = stepped.effects;
    this.all.push(...stepped.effects);
    return this.effects;
  }

  /** A message from a validator; it has to be one that the runtime would let through. */
  hear(message: Message, from = this.other(0)): readonly Effect[] {
    if (!isVerified(this.config.scheme, this.world.committee, message))
      throw new Error(`${message.type} is not verified`);
    return this.give({ type: "message", from: this.world.signer(from).publicKey, message });
  }

  /** Fires a timer, at the time it is set for. */
  fire(timer: TimerId): readonly Effect[] {
    const armed = this.replica.timers.get(timer);
    if (!armed) throw new Error(`${timer} is not set`);
    this.now = Math.max(this.now, armed.firesAt);
    return this.give({ type: "timer", timer, generation: armed.generation });
  }

  work(pending = true): readonly Effect[] {
    return this.give({ type: "work", pending });
  }

  leader(view: number): number {
    return leaderOf(this.world.committee, view);
  }

  /** Another validator than me: the first, the second … */
  other(at: number): number {
    return (this.me + 1 + at) % this.world.signers.length;
  }

  /** The first view above this one with this leader. */
  viewOf(leader: number, above = 0): number {
    let view = above + 1;
    while (this.leader(view) !== leader) view++;
    return view;
  }

  block(view: number, justify: Cert, changed: Partial<Header> = {}, payload?: Payload): Block {
    const { header } = this.world.block(view, justify, changed);
    if (payload === undefined) return this.world.block(view, justify, changed);
    return newBlock({ ...header, ...sumUp(payload) }, payload);
  }

  /** Blocks of consecutive views on the genesis, with their prepare certificates. */
  chain(length: number, payload?: Payload): { blocks: Block[]; certs: Cert[] } {
    const blocks: Block[] = [];
    const certs: Cert[] = [];
    for (let view = 1; view <= length; view++) {
      const block = this.block(view, certs.at(-1) ?? this.world.certified, {}, payload);
      blocks.push(block);
      certs.push(this.certify(block));
    }
    return { blocks, certs };
  }

  /** The certificate of a quorum that I am not in, if there can be one. */
  certify(block: Block, kind: "P" | "C" = "P"): Cert {
    const n = this.world.signers.length;
    const others = Array.from({ length: n }, (_, at) => this.other(at));
    const signers = others.slice(0, quorumOf(n)).sort((a, b) => a - b);
    return this.world.certify(block, kind, signers);
  }

  /** C_v of the blocks of `chain`. */
  certs(length: number, payload?: Payload): (view: number) => Cert {
    const { certs } = this.chain(length, payload);
    return (view) => certs[view - 1] ?? this.world.certified;
  }

  propose(
    block: Block,
    justify: Cert,
    entry: TC | null = null,
    commit: Cert | null = null,
  ): Message {
    const signer = this.world.signer(block.header.proposer);
    return seal({ type: "proposal", block, justify, commit, entry }, signer);
  }

  wish(signer: number, wishView: number, changed: Partial<Wish> = {}): Message {
    const { epoch } = this.world.committee;
    const highCert = this.world.certified;
    const said = {
      type: "wish",
      epoch,
      wishView,
      commitView: 0,
      highCert,
      highTC: null,
      signer,
    } as const;
    return seal({ ...said, ...changed }, this.world.signer(signer));
  }

  newView(signer: number, view: number, highCert: Cert, highHeader: Header | null = null): Message {
    const { epoch } = this.world.committee;
    const commit = { ...this.world.certified, kind: "C" } as const;
    return { type: "new_view", epoch, view, highCert, highHeader, commit, entry: null, signer };
  }

  status(changed: Partial<Extract<Message, { type: "status" }>> = {}): Message {
    return {
      type: "status",
      epoch: 1,
      view: 1,
      committedHeight: 0,
      committedHash: NO_HASH,
      commitView: 0,
      highCertView: 0,
      clockHealthy: true,
      stateVote: null,
      ...changed,
    };
  }

  /** What was sent of a type in the last step. */
  sent<Type extends Outgoing["type"]>(type: Type): Extract<Outgoing, { type: Type }>[] {
    return sentIn(this.effects, type);
  }

  /** The kinds of what was sent in the last step, with votes told apart. */
  get said(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.type !== "send") return [];
      const { message } = effect;
      return message.type === "vote" && message.kind === "C" ? "commit_vote" : message.type;
    });
  }

  /** Effects of a type in the last step. */
  did<Type extends Effect["type"]>(type: Type): Extract<Effect, { type: Type }>[] {
    return this.effects.filter((one): one is Extract<Effect, { type: Type }> => one.type === type);
  }
}

function sentIn<Type extends Outgoing["type"]>(
  effects: readonly Effect[],
  type: Type,
): Extract<Outgoing, { type: Type }>[] {
  return effects.flatMap((effect) => {
    const message = effect.type === "send" ? effect.message : null;
    return message?.type === type ? [message as Extract<Outgoing, { type: Type }>] : [];
  });
}
