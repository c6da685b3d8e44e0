import {
  hashKeyMissing,
  nobodyServes,
  PICK_POLICY,
  type PickPolicy,
  pickByHash,
  pickInTurn,
  pickLeastLoaded,
} from "@/core/discovery.ts";
import type { NodeId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import type { Clock } from "@/ports/clock.ts";
import { unreachable } from "@/std/assert.ts";

/** A pick counts as load for one to two of these. */
const WINDOW_MS = 60_000;
/** How many questions are remembered with whose turn it was. */
const TURNS_MAX = 1_000;

/** What is asked of a pick. */
export interface Question {
  readonly specialization?: string | undefined;
  readonly org?: string | undefined;
  readonly policy?: PickPolicy | undefined;
  /** What to hash, with policy hash. */
  readonly key?: string | undefined;
}

/** Picks one of several nodes, remembering in memory what was picked before. */
export class Picks {
  readonly #clock: Clock;
  readonly #turns = new Map<string, NodeId>();
  #now = new Map<NodeId, number>();
  #before = new Map<NodeId, number>();
  #windowEndsMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** One of the nodes that can serve; those that can be dialled go first. */
  pick(serving: readonly Node[], question: Question): Node {
    const dialled = serving.filter((node) => node.endpoint !== undefined);
    const [first, ...rest] = dialled.length > 0 ? dialled : serving;
    if (!first) throw nobodyServes(question.specialization);
    this.#turnWindow();
    const node = this.#pickOf([first, ...rest], question);
    this.#now.set(node.id, (this.#now.get(node.id) ?? 0) + 1);
    return node;
  }

  #pickOf(nodes: readonly [Node, ...Node[]], question: Question): Node {
    const { policy = PICK_POLICY, key } = question;
    if (policy === "least_loaded") return pickLeastLoaded(nodes, (node) => this.#loadOf(node.id));
    if (policy === "round_robin") return this.#pickInTurn(nodes, question);
    if (policy !== "hash") return unreachable(policy);
    if (!key) throw hashKeyMissing();
    return pickByHash(nodes, key);
  }

  #pickInTurn(nodes: readonly [Node, ...Node[]], { specialization, org }: Question): Node {
    const turn = `${nodes[0].pool} ${specialization ?? ""} ${org ?? ""}`;
    const node = pickInTurn(nodes, this.#turns.get(turn) ?? "");
    if (this.#turns.size >= TURNS_MAX) this.#turns.clear();
    this.#turns.set(turn, node.id);
    return node;
  }

  #loadOf(id: NodeId): number {
    return (this.#now.get(id) ?? 0) + (this.#before.get(id) ?? 0);
  }

  #turnWindow(): void {
    const now = this.#clock.monotonic();
    if (now < this.#windowEndsMs) return;
    this.#before = now < this.#windowEndsMs + WINDOW_MS ? this.#now : new Map();
    this.#now = new Map();
    this.#windowEndsMs = now + WINDOW_MS;
  }
}
