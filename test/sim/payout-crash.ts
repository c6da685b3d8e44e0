import { seededRandom } from "#test/support/seeded-random.ts";
import { type NodeId, nodeIdOf, type PoolId, poolIdOf } from "@/core/ids.ts";
import { availableOf, balanceOf, hotAccount, nodeAccount } from "@/core/ledger/account.ts";
import {
  accrueAndConvert,
  fund,
  mature,
  payoutPending,
  payoutPost,
  payoutVoid,
} from "@/core/ledger/acts.ts";
import { checkLedger } from "@/core/ledger/check.ts";
import { accountsTouched } from "@/core/ledger/ledger.ts";
import { MemoryLedger } from "@/core/ledger/memory-ledger.ts";
import type { Transfer } from "@/core/ledger/transfer.ts";
import {
  type Action,
  nextAction,
  type OpenBatch,
  type SettleAnswer,
} from "@/core/payout/machine.ts";
import { utf8 } from "@/std/bytes.ts";

/** A way of doing it wrong that the run must notice. */
export type PayoutMutant = "none" | "push_before_store" | "timeout_is_failure";

/** What became of every payee, and whether the books and the chain agree. */
export interface PayoutRun {
  readonly overpaid: readonly string[];
  readonly underpaid: readonly string[];
  readonly violations: readonly string[];
  readonly stoppedBy: string | undefined;
  readonly crashes: number;
}

const STEPS_MAX = 600;
const SECOND_ROUND = 60;
const LIFE = 5;
const pool: PoolId = poolIdOf(utf8("pool"));
const nodes: readonly NodeId[] = [0, 1, 2, 3, 4].map((n) => nodeIdOf(utf8(`node ${n}`)));

class Crash extends Error {}

interface SentBatch {
  readonly hash: string;
  readonly position: number;
  readonly notAfter: number;
  readonly payments: readonly { readonly node: NodeId; readonly amount: bigint }[];
}

/** A chain that loses, delays and drops what it is sent; on half of the seeds it has positions. */
class Chain {
  now = 0;
  position = 0;
  readonly paid = new Map<NodeId, bigint>();
  readonly #ended = new Map<string, "done" | "failed">();
  readonly #underway: { readonly sent: SentBatch; readonly at: number }[] = [];
  readonly #random: () => number;
  readonly hasPositions: boolean;

  constructor(random: () => number, hasPositions: boolean) {
    this.#random = random;
    this.hasPositions = hasPositions;
  }

  push(sent: SentBatch): void {
    const mode = this.#random();
    if (mode < 0.25) return;
    const delay = mode < 0.6 ? 1 : 1 + Math.floor(this.#random() * (LIFE + 3));
    this.#underway.push({ sent, at: this.now + delay });
  }

  settle(sent: SentBatch): SettleAnswer {
    if (this.#random() < 0.2) return { type: "wait" };
    const end = this.#ended.get(sent.hash);
    if (end === "done") return { type: "done", proof: sent.hash };
    if (end === "failed") {
      return {
        type: "failed",
        proof: sent.hash,
        culprits: [{ item: 0, why: "no_trust", ref: "x" }],
      };
    }
    if (this.now <= sent.notAfter) return { type: "wait" };
    const isFree = !this.hasPositions || this.position === sent.position - 1;
    return isFree
      ? { type: "never", proof: `time ${this.now}`, isPositionFree: true }
      : { type: "position_taken" };
  }

  /** One tick: what has arrived lands when its position is next, or waits for it until it expires. */
  tick(): void {
    this.now++;
    for (const entry of this.#underway.filter(({ at }) => at <= this.now)) {
      const { sent } = entry;
      const isNext = !this.hasPositions || sent.position === this.position + 1;
      if (isNext && sent.notAfter >= this.now && !this.#ended.has(sent.hash)) this.#land(sent);
      if (isNext || sent.notAfter < this.now)
        this.#underway.splice(this.#underway.indexOf(entry), 1);
    }
  }

  #land(sent: SentBatch): void {
    this.position++;
    const isFailed = sent.payments.length > 1 && this.#random() < 0.15;
    this.#ended.set(sent.hash, isFailed ? "failed" : "done");
    if (isFailed) return;
    for (const { node, amount } of sent.payments) {
      this.paid.set(node, (this.paid.get(node) ?? 0n) + amount);
    }
  }
}

/** What survives a crash: the ledger, the lane and the sealed batch, each commit whole or not at all. */
class Disk {
  readonly ledger = new MemoryLedger();
  next = 1;
  batches = 0;
  open: { batch: OpenBatch; sent: SentBatch; pending: readonly Transfer[] } | undefined;

  book(transfers: readonly Transfer[]): void {
    this.ledger.open(...accountsTouched(transfers).map(({ id }) => id)).book(transfers);
  }
}

/**
 * Pays five nodes twice over an unreliable chain while the engine crashes at random points, and
 * says who was paid too much or too little. The same seed gives the same run.
 */
export function runPayoutCrash(seed: number, mutant: PayoutMutant = "none"): PayoutRun {
  const random = seededRandom(seed);
  const chain = new Chain(random, seed % 2 === 0);
  const disk = new Disk();
  const earned = new Map<NodeId, bigint>();
  let crashes = 0;
  let stoppedBy: string | undefined;
  disk.book(fund({ rail: "stellar", slot: 0, at: 0, fact: "f", amount: 1_000_000n }));
  const crash = () => {
    if (random() < 0.12) throw new Crash();
  };

  for (let step = 0; step < STEPS_MAX && stoppedBy === undefined; step++) {
    if (step === 0 || step === SECOND_ROUND) earnAll(disk, earned, step);
    try {
      stoppedBy = stepEngine({ disk, chain, mutant, crash });
    } catch (thrown) {
      if (!(thrown instanceof Crash)) throw thrown;
      crashes++;
    }
    chain.tick();
  }
  return { ...compare(disk, chain, earned), stoppedBy, crashes };
}

interface World {
  readonly disk: Disk;
  readonly chain: Chain;
  readonly mutant: PayoutMutant;
  readonly crash: () => void;
}

/** One step as the engine does it: look, decide, commit, and only then touch the world. */
function stepEngine(world: World): string | undefined {
  const { disk, chain, crash } = world;
  const due = duePayments(disk);
  const action = nextAction({
    lane: { next: disk.next, state: "open" },
    now: chain.now,
    ...(disk.open && { open: { batch: disk.open.batch, answer: answerOf(world, disk.open.sent) } }),
    dueCount: due.length,
    faulty: [],
    ...(chain.hasPositions && { chainPosition: chain.position }),
  });
  crash();
  if (action.type === "stop") return action.why;
  if (action.type === "seal") seal(world, action.position, due);
  if (action.type === "push" && disk.open) chain.push(disk.open.sent);
  if (action.type === "post" || action.type === "void") settle(disk, action);
  crash();
  return undefined;
}

function answerOf({ chain, mutant }: World, sent: SentBatch): SettleAnswer {
  const answer = chain.settle(sent);
  const isMutant = mutant === "timeout_is_failure" && answer.type === "wait";
  return isMutant ? { type: "failed", proof: "timeout", culprits: [] } : answer;
}

function seal(world: World, position: number, due: SentBatch["payments"]): void {
  const { disk, chain, mutant, crash } = world;
  const id = `b${disk.batches + 1}`;
  const slot = chain.now;
  const hash = `${id}:${chain.now}`;
  const sent = { hash, position, notAfter: chain.now + LIFE, payments: due };
  if (mutant === "push_before_store") {
    chain.push(sent);
    crash();
  }
  const items = due.map((payment, item) => ({ item, pool, ...payment }));
  const pending = payoutPending({ batch: id, slot, rail: "stellar", at: slot, items });
  disk.book(pending);
  disk.batches++;
  const open = items.map(({ item }) => ({ id: item, state: "pending" as const }));
  disk.open = { batch: { id, position, items: open, pushAfter: 0 }, sent, pending };
  crash();
  if (mutant !== "push_before_store") chain.push(sent);
}

function settle(disk: Disk, action: Action & { readonly type: "post" | "void" }): void {
  const { open } = disk;
  if (!open) return;
  const of = (moves: typeof action.post) =>
    open.pending.filter((_, item) => moves.some((move) => move.item === item));
  disk.book([
    ...payoutPost(of(action.post), "proof", 0),
    ...payoutVoid(of(action.void), "proof", 0),
  ]);
  disk.next = action.next;
  if (action.closes) disk.open = undefined;
}

function duePayments({ ledger }: Disk): SentBatch["payments"] {
  return nodes
    .map((node) => ({ node, amount: availableOf(ledger.getAccount(payableOf(node))) }))
    .filter(({ amount }) => amount > 0n);
}

function earnAll(disk: Disk, earned: Map<NodeId, bigint>, slot: number): void {
  nodes.forEach((node, n) => {
    const micro = BigInt(100 + n + slot);
    const act = { pool, node, slot, at: slot, ref: "claim" };
    disk.book([
      ...accrueAndConvert({ ...act, cu: 1n, micro, feeMicro: 0n }),
      ...mature(act, micro),
    ]);
    earned.set(node, (earned.get(node) ?? 0n) + micro);
  });
}

function compare(disk: Disk, chain: Chain, earned: ReadonlyMap<NodeId, bigint>) {
  const { ledger } = disk;
  const difference = (node: NodeId) => (chain.paid.get(node) ?? 0n) - (earned.get(node) ?? 0n);
  const spent = [...chain.paid.values()].reduce((sum, amount) => sum + amount, 0n);
  const isReconciled = balanceOf(ledger.getAccount(hotAccount("stellar"))) === 1_000_000n - spent;
  const broken = checkLedger(ledger.accounts, ledger.transfers).map(({ message }) => message);
  return {
    overpaid: nodes.filter((node) => difference(node) > 0n),
    underpaid: nodes.filter((node) => difference(node) < 0n),
    violations: isReconciled ? broken : [...broken, "the chain and the ledger differ"],
  };
}

function payableOf(node: NodeId) {
  return nodeAccount(pool, node, "payable");
}
