import { expect, test } from "bun:test";
import { seededRandom } from "#test/support/seeded-random.ts";
import { type Durable, genesisDurable } from "@/core/consensus/durable.ts";
import { commitVote, type Decision, prepareVote } from "@/core/consensus/safety-rules.ts";
import type { Block, Cert, Header, View } from "@/core/consensus/types.ts";
import { CHAIN, hashOf, symbolicWorld } from "./world.ts";

/*
 * The rules of the votes once more, from the text of §4.2 alone, in plain numbers; then both are asked
 * the same, in random order, sense and nonsense, and have to agree on each answer and what it leaves.
 */

interface Memory {
  voted: View;
  votedFor: string | null;
  committed: View;
  lock: View;
  high: View;
}

const world = symbolicWorld(4);
const genuine = new Set<Cert>([world.certified]);

/** "header.chainId and epoch = own; header.parent = justify.block; …": the list of prepareVote. */
function votes(memory: Memory, view: View, { header, hash }: Block, justify: Cert): boolean {
  const isMine = header.chainId === CHAIN && header.epoch === 1 && header.view === view;
  const isBuilt = header.parent === justify.block && header.justifyView === justify.view;
  const isAbove = header.justifyView < header.view && header.height === justify.height + 1;
  if (!isMine || !isBuilt || !isAbove || !genuine.has(justify)) return false;
  if (view === memory.voted && hash === memory.votedFor) return true;
  if (view <= memory.voted || view <= memory.committed || justify.view < memory.lock) return false;
  memory.voted = view;
  memory.votedFor = hash;
  memory.lock = Math.max(memory.lock, justify.view);
  memory.high = Math.max(memory.high, justify.view);
  return true;
}

/** "epoch equal; kind P; cert.view ≥ curView; …": the list of commitVote. */
function commits(memory: Memory, view: View, cert: Cert): boolean {
  if (cert.kind !== "P" || cert.epoch !== 1 || !genuine.has(cert)) return false;
  if (cert.view < view || cert.view < memory.voted || cert.view <= memory.committed) return false;
  memory.committed = cert.view;
  memory.lock = cert.view;
  memory.high = Math.max(memory.high, cert.view);
  return true;
}

/** Certificates of both kinds on a tree of blocks, and some that nobody signed. */
function certificates(): readonly Cert[] {
  const certs: Cert[] = [world.certified];
  for (let view = 1; view <= 8; view++)
    for (const justify of certs.slice(-3)) {
      const block = world.block(view, justify);
      if (block.header.justifyView >= view) continue;
      certs.push(world.certify(block), world.certify(block, "C"));
    }
  for (const cert of certs) genuine.add(cert);
  const forged = certs.slice(1, 8).map((cert) => ({ ...cert, sigs: cert.sigs.toReversed() }));
  return [...certs, ...forged, ...certs.slice(0, 4).map((cert) => ({ ...cert, epoch: 2 }))];
}

const CERTS = certificates();
const NONSENSE: readonly Partial<Header>[] = [
  { chainId: hashOf(9) },
  { epoch: 2 },
  { parent: hashOf(9) },
  { justifyView: 1 },
  { justifyView: 5 },
  { height: 2 },
];

/** Both sets of rules, and what each has said so far. */
class Conversation {
  readonly #memory: Memory = { voted: 0, votedFor: null, committed: 0, lock: 0, high: 0 };
  #durable = genesisDurable(world.committee);
  readonly #random: () => number;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  #below(count: number): number {
    return Math.floor(this.#random() * count);
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#below(from.length)] as T;
  }

  /** Asks both, and says whether they said yes. */
  ask(): boolean {
    const { voted, committed } = this.#memory;
    const view = Math.max(1, Math.max(voted, committed) - 1 + this.#below(4));
    const near = CERTS.filter((one) => Math.abs(one.view - view) < 3);
    const cert = this.#pick(this.#below(3) === 0 || near.length === 0 ? CERTS : near);
    const [decision, expected] =
      this.#below(3) > 0 ? this.#askVote(view, cert) : this.#askCommit(view, cert);
    expect(decision.type).toBe(expected ? "granted" : "refused");
    if (decision.type === "granted") this.#durable = decision.durable;
    expect(remembered(this.#durable)).toEqual(this.#memory);
    return expected;
  }

  #askVote(view: View, justify: Cert): [Decision, boolean] {
    const nonsense = this.#below(4) === 0 ? this.#pick(NONSENSE) : {};
    const changed = { timestampMs: this.#below(2), ...nonsense };
    const block = world.block(this.#below(8) === 0 ? view + 1 : view, justify, changed);
    const asked = { view, header: block.header, justify };
    const decision = prepareVote(world.context(3), this.#durable, asked);
    return [decision, votes(this.#memory, view, block, justify)];
  }

  #askCommit(view: View, cert: Cert): [Decision, boolean] {
    const decision = commitVote(world.context(3), this.#durable, { view, cert });
    return [decision, commits(this.#memory, view, cert)];
  }
}

function remembered({ lock, highCert, ...durable }: Durable): Memory {
  const { lastVotedView: voted, lastCommitVotedView: committed } = durable;
  const votedFor = durable.lastVote?.block ?? null;
  return { voted, votedFor, committed, lock: lock.view, high: highCert.view };
}

test("the safety rules are those of the specification, whatever is asked in whatever order", () => {
  let granted = 0;
  for (let seed = 1; seed <= 400; seed++) {
    const conversation = new Conversation(seed);
    for (let turn = 0; turn < 40; turn++) granted += conversation.ask() ? 1 : 0;
  }
  expect(granted).toBeGreaterThan(1_500);
});
