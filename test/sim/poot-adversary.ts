import { seededRandom } from "#test/support/seeded-random.ts";
import { nodeIdOf } from "@/core/ids.ts";
import { type AcceptContext, type Answer, acceptVerified } from "@/core/poot/accept.ts";
import { decodeAck } from "@/core/poot/ack.ts";
import { heardPending, isAdmissible, marksFrom, type PendingBeats } from "@/core/poot/admission.ts";
import type { ClosedInterval, ClosedNode, CloseNode } from "@/core/poot/closing.ts";
import { type HeartbeatBytes, readHeartbeat } from "@/core/poot/heartbeat.ts";
import { closeInterval } from "@/core/poot/interval.ts";
import { type NodeMarks, newNodeMarks, type SessionMarks } from "@/core/poot/marks.ts";
import type { Membership } from "@/core/poot/membership.ts";
import {
  memoryOf,
  type NodeIdentity,
  type NodeSession,
  nextClaim,
  onAnswer,
  startSession,
} from "@/core/poot/node-session.ts";
import { newPresence, type PresenceTable, settleNode } from "@/core/poot/presence.ts";
import { decodeReceipt, type Receipt, type ReceiptMasters } from "@/core/poot/receipt.ts";
import type { PresenceRow } from "@/core/poot/row.ts";
import { intervalFirstSlot, type Slot } from "@/core/poot/slot.ts";
import { sameBytes, toHex } from "@/std/bytes.ts";
import { type SigningKey, sha256, signingKey } from "@/std/crypto.ts";
import { Attackers } from "./poot-attacker.ts";

/** What a run has come to; it throws when a rule was broken, naming the seed. */
export interface AdversaryResult {
  readonly accepted: number;
  readonly credited: number;
}

const START = 1000;
const T = 30;
const POOL = signingKey(new Uint8Array(32).fill(9));
const POOL_KEYS = new Uint8Array(32).fill(77);

/**
 * One random world of a pool with one or three replicas of skewed memory, nodes that try everything
 * that pays, some of them pending at first, and an honest node with a bad network. After every close a node's credited ticks are no
 * more than the slots in which a heartbeat of it was accepted; at the end the honest node has been
 * credited every slot whose RECEIPT it got.
 */
export function runAdversary(seed: number): AdversaryResult {
  const world = new World(seed);
  const slots = 12 + world.int(24);
  for (let step = 0; step < slots; step++) world.step();
  return world.finish();
}

/** Runs seeds `from` to `to`, the last one excluded. */
export function runAdversaries(from: number, to: number): AdversaryResult {
  let accepted = 0;
  let credited = 0;
  for (let seed = from; seed < to; seed++) {
    const result = runAdversary(seed);
    accepted += result.accepted;
    credited += result.credited;
  }
  return { accepted, credited };
}

/** A key whose signature is its name: quick, and only its holder can make it in this world. */
function nameKey(seed: number): SigningKey {
  const publicKey = sha256(Uint8Array.of(seed));
  const signature = new Uint8Array(64);
  signature.set(publicKey);
  return { publicKey, sign: () => signature };
}

interface Player {
  readonly key: SigningKey;
  readonly node: ReturnType<typeof nodeIdOf>;
  /** Slots in which a heartbeat was accepted while it might earn. */
  readonly accepted: Set<Slot>;
  membership: Membership;
  /** What was heard of it while it was pending, and the first slot after that. */
  beats: PendingBeats | undefined;
  memberFrom: Slot | undefined;
  isAdmitted: boolean;
  marks: NodeMarks;
  sessions: readonly SessionMarks[];
}

function newPlayer(seed: number): Player {
  const key = nameKey(seed);
  const node = nodeIdOf(key.publicKey);
  const marks = newNodeMarks(START);
  const pending = { beats: undefined, memberFrom: undefined, isAdmitted: true };
  return { key, node, accepted: new Set(), membership: "member", ...pending, marks, sessions: [] };
}

class World {
  readonly #seed: number;
  readonly #random: () => number;
  readonly #masters: ReceiptMasters = { current: { keyId: 1, secret: POOL_KEYS } };
  readonly #replicas: PresenceTable[] = [];
  readonly #slotsPerInterval: number;
  readonly #attackers = [newPlayer(1), newPlayer(2)];
  readonly #honest = newPlayer(3);
  readonly #node: NodeIdentity;
  readonly #schemes: Attackers;
  readonly #acks = new Map<string, Uint8Array>();
  readonly #arrived = new Set<Slot>();
  readonly #skew: readonly number[];
  #session: NodeSession;
  #favourite = 0;
  #now = START;
  /** Whether every close of this run takes the rows of every replica. */
  readonly #isWhole: boolean;
  readonly #opens = new Set<string>();
  #hasCrashed = false;
  /** CLAIMs of the honest node, and how often one was accepted in a second slot. */
  readonly #claimSlots = new Map<string, Slot>();
  #acceptedTwice = 0;

  constructor(seed: number) {
    this.#seed = seed;
    this.#random = seededRandom(seed);
    this.#schemes = new Attackers(this.#random, POOL.publicKey, T);
    const replicas = this.chance(0.5) ? 1 : 3;
    this.#slotsPerInterval = 1 + this.int(10);
    this.#isWhole = replicas === 1 || this.chance(0.5);
    for (let at = 0; at < replicas; at++) this.#replicas.push(this.#emptyTable());
    this.#skew = this.#replicas.map(() => (replicas > 1 && this.chance(0.2) ? this.int(3) - 1 : 0));
    for (const attacker of this.#attackers) {
      if (this.chance(0.6)) continue;
      attacker.membership = "pending";
      attacker.isAdmitted = false;
    }
    const { key } = this.#honest;
    this.#node = { key, poolKey: POOL.publicKey, slotSeconds: T, isExclusive: true };
    this.#session = startSession(this.#node, START, { last: undefined, ack: undefined });
  }

  int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  chance(probability: number): boolean {
    return this.#random() < probability;
  }

  step(): void {
    if (this.chance(0.05)) this.#crashReplica();
    if (this.chance(0.1)) this.#changeMembership();
    this.#liveOneSlot();
    this.#now += this.chance(0.05) ? 1 + this.int(4) : 1;
    if (this.#now % this.#slotsPerInterval === 0 || this.chance(0.1)) this.#close(0.3);
  }

  #liveOneSlot(): void {
    for (const lossChance of [0.15, 0.3]) {
      if (this.chance(0.05)) this.#restartHonest();
      for (let moves = this.int(4); moves > 0; moves--) this.#attack();
      if (this.chance(1.1 - lossChance)) this.#beHonest(lossChance);
    }
  }

  /** A good network at last: what the honest node was promised has to be paid now. */
  finish(): AdversaryResult {
    for (let calm = 0; calm < 5; calm++) {
      this.#beHonest(0);
      this.#beHonest(0);
      this.#now += 1;
      this.#close(0);
    }
    this.#checkHonest(this.#honest);
    const all = [...this.#attackers, this.#honest];
    return {
      accepted: all.reduce((sum, player) => sum + player.accepted.size, 0),
      credited: all.reduce((sum, player) => sum + player.marks.creditTotal, 0),
    };
  }

  /**
   * A close without some replica's rows may cost ticks, and so do replicas that disagree about the
   * slot; a crash costs those nobody was told of; and a CLAIM accepted by two replicas in two slots
   * may cost one, because the later of them already counts as paid.
   */
  #checkHonest({ marks, accepted, sessions }: Player): void {
    const isTold = this.#replicas.length > 1 || this.#hasCrashed;
    const due = (isTold ? this.#arrived.size : accepted.size) - this.#acceptedTwice;
    const isDue = this.#isWhole && this.#skew.every((skew) => skew === 0);
    if (isDue && marks.creditTotal < due) {
      this.#fail(`the honest node is due ${due} ticks and has ${marks.creditTotal}`);
    }
    for (const { session } of sessions) {
      if (!this.#opens.has(toHex(session))) this.#fail("an OPEN of the honest node was not stored");
    }
  }

  #emptyTable(): PresenceTable {
    return newPresence(this.#now ?? START, 10);
  }

  #crashReplica(): void {
    this.#hasCrashed = true;
    this.#replicas[this.int(this.#replicas.length)] = this.#emptyTable();
  }

  #changeMembership(): void {
    const states: readonly Membership[] = ["member", "member", "suspended", "left", "pending"];
    const state = states[this.int(states.length)] ?? "member";
    const attacker = this.#attackers[this.int(this.#attackers.length)];
    if (!attacker) return;
    // Nobody but the pool makes a member of a node that is pending, and it does when it was heard.
    if (attacker.membership === "pending" && state === "member") return;
    if (state === "pending") attacker.isAdmitted = false;
    // An operator may take one back that left while it was pending: it earns from now on.
    if (state === "member" && !attacker.isAdmitted) this.#admit(attacker, this.#now);
    attacker.membership = state;
    if (state !== "pending") attacker.beats = undefined;
  }

  #admit(who: Player, slot: Slot): void {
    who.membership = "member";
    who.isAdmitted = true;
    who.memberFrom = Math.max(slot, this.#now + 1) + 1;
    who.beats = undefined;
  }

  /** Heard in three slots a pending node is a member, from the next slot of every replica on. */
  #hearPending(who: Player, slot: Slot): void {
    who.beats = heardPending(who.beats, slot);
    if (isAdmissible(who.beats)) this.#admit(who, who.beats.newest);
  }

  /** Restarted again before its first ACK, and with a pool that crashed, a node may lose ticks. */
  #restartHonest(): void {
    if (!this.#session.isAcknowledged) return;
    this.#session = startSession(this.#node, this.#now, memoryOf(this.#session));
  }

  /** One heartbeat of the honest node, repeated to the same replica, then to another. */
  #beHonest(lossChance: number): void {
    const slot = this.#now + (this.chance(lossChance / 3) ? this.int(3) - 1 : 0);
    const facts = { slot, healthPermille: 900 + this.int(100), flags: 0 };
    for (let tries = 0; tries < 3; tries++) {
      const { session, heartbeat } = nextClaim(this.#session, this.#node, facts);
      this.#session = session;
      if (!heartbeat) return;
      if (this.#exchange(heartbeat, lossChance)) return;
    }
  }

  /** Whether the node may rest: it was accepted, or has to wait for another slot. */
  #exchange(heartbeat: HeartbeatBytes, lossChance: number): boolean {
    if (this.chance(lossChance)) return false;
    const answer = this.#ask(this.#honest, this.#favourite, heartbeat);
    if (this.chance(lossChance)) {
      if (this.chance(0.5)) this.#favourite = this.int(this.#replicas.length);
      return false;
    }
    this.#session = onAnswer(this.#session, this.#node, { ...answer, slot: this.#now });
    const newest = this.#session.newest;
    if (newest) this.#arrived.add(newest.slot);
    return answer.type === "early" || answer.type === "wait" || newest?.slot === this.#now;
  }

  #ask(who: Player, replica: number, bytes: HeartbeatBytes): Answer {
    const table = this.#replicas[replica] ?? this.#fail("no such replica");
    const now = this.#now + (this.#skew[replica] ?? 0);
    const context: AcceptContext = {
      now,
      isWaiting: false,
      slotSeconds: T,
      poolKey: POOL.publicKey,
      masters: this.#masters,
      node: who.node,
      nodeKey: who.key.publicKey,
      membership: who.membership,
      memberFrom: who.memberFrom,
    };
    const heartbeat = readHeartbeat(bytes);
    const { open, claim, handedIn } = heartbeat;
    const signatures = {
      claim: isNamed(claim.value),
      open: open !== undefined && isNamed(open.value),
      handedIn: handedIn !== undefined && isNamed(handedIn.claim.value),
    };
    const answer = acceptVerified(table, context, { ...heartbeat, signatures });
    if (answer.type === "accepted") {
      this.#countAccepted(who, decodeReceipt(answer.receipt));
      this.#schemes.keep({ claim: bytes.claim, receipt: answer.receipt });
    }
    this.#schemes.hear(who.key, bytes);
    return answer;
  }

  #countAccepted(who: Player, { slot, claimHash }: Receipt): void {
    if (who.membership === "pending") this.#hearPending(who, slot);
    else if (slot >= (who.memberFrom ?? 0)) who.accepted.add(slot);
    if (who === this.#honest) this.#countTwice(toHex(claimHash), slot);
  }

  #countTwice(claim: string, slot: Slot): void {
    const former = this.#claimSlots.get(claim);
    if (former !== undefined && former !== slot) this.#acceptedTwice++;
    this.#claimSlots.set(claim, slot);
  }

  #attack(): void {
    const who = this.#attackers[this.int(this.#attackers.length)];
    if (!who) return;
    const replica = this.int(this.#replicas.length);
    const bytes = this.#schemes.plot(who.key, this.#now);
    if (bytes) this.#ask(who, replica, bytes);
  }

  /** A close of all rows or of some, that may be lost, refused in part, or done twice. */
  #close(troubleChance: number): void {
    const tables = this.#replicas.filter(() => this.#isWhole || !this.chance(troubleChance));
    for (let again = this.chance(troubleChance) ? 2 : 1; again > 0; again--) {
      const closed = this.#closed(tables, troubleChance);
      if (!this.chance(troubleChance / 2)) this.#commit(closed, tables, troubleChance);
    }
  }

  #closed(tables: readonly PresenceTable[], troubleChance: number): ClosedInterval {
    const firstSlot = intervalFirstSlot(this.#now - 1, this.#slotsPerInterval);
    const interval = { epoch: 0, firstSlot, slots: this.#slotsPerInterval };
    const nodes = this.#players().map((player) => this.#closeNode(player, tables, troubleChance));
    const context = { interval, slotSeconds: T, key: POOL, notLooked: new Set<Slot>() };
    return closeInterval({ ...context, gapFrom: firstSlot }, nodes);
  }

  #closeNode(player: Player, tables: readonly PresenceTable[], troubleChance: number): CloseNode {
    const { node, membership, memberFrom, marks, sessions } = player;
    const rows: PresenceRow[] = tables.flatMap((table) => table.nodes.get(node)?.sessions ?? []);
    if (this.chance(0.5)) rows.reverse();
    return {
      node,
      membership,
      rows,
      window: tables[0]?.nodes.get(node)?.window,
      marks: membership === "member" ? marksFrom(marks, memberFrom) : marks,
      sessions,
      weightPermille: 1000,
      healthPermille: 1000,
      plannedBefore: 0,
      refusal: this.chance(troubleChance / 5) ? "the ledger says no" : undefined,
    };
  }

  #commit(closed: ClosedInterval, tables: readonly PresenceTable[], troubleChance: number): void {
    for (const node of closed.nodes) {
      this.#record(node);
      if (this.chance(troubleChance)) continue;
      for (const table of tables) settleNode(table, node);
    }
  }

  #record(node: ClosedNode): void {
    const player = this.#players().find((other) => other.node === node.node);
    if (!player) this.#fail("an unknown node was closed");
    this.#checkMarks(player, node.marks);
    player.marks = node.marks;
    player.sessions = node.sessions;
    for (const row of node.rows) this.#checkAck(row.claim, row.ack);
    for (const { session } of node.opens) this.#opens.add(toHex(session));
  }

  #checkMarks(player: Player, marks: NodeMarks): void {
    if (marks.creditTotal > player.accepted.size) {
      this.#fail(`${marks.creditTotal} ticks for ${player.accepted.size} accepted slots`);
    }
    if (marks.creditTotal < player.marks.creditTotal || marks.lastSlot < player.marks.lastSlot) {
      this.#fail("marks fell");
    }
  }

  /** No close gives evidence against an honest pool: one ACK per CLAIM, no more ticks than slots. */
  #checkAck(claim: Uint8Array, bytes: Uint8Array): void {
    const ack = decodeAck(bytes);
    const name = toHex(sha256(claim));
    const former = this.#acks.get(name);
    if (former && !sameBytes(former, bytes)) this.#fail("two ACKs of one CLAIM");
    this.#acks.set(name, bytes);
    const view = new DataView(claim.buffer, claim.byteOffset, claim.byteLength);
    const fromSlot = Number(view.getBigUint64(88));
    if (ack.ticks > ack.slot - fromSlot + 2) this.#fail("an ACK with more ticks than slots");
  }

  #players(): readonly Player[] {
    return [...this.#attackers, this.#honest];
  }

  #fail(what: string): never {
    throw new Error(`seed ${this.#seed}: ${what}`);
  }
}

function isNamed(message: { readonly nodeKey: Uint8Array; readonly signature: Uint8Array }) {
  return sameBytes(message.signature.subarray(0, 32), message.nodeKey);
}
