import type { Fetch } from "@/core/consensus/events.ts";
import type { GetBlocks, Message } from "@/core/consensus/messages.ts";
import type { Block, Hash } from "@/core/consensus/types.ts";
import type { Host } from "./host.ts";

/** The part of the runtime that asks peers for what is missing and answers them (§8.1, §10.3). */

const BLOCKS_A_REPLY = 32;
const PROOFS_A_REPLY = 16;

/** Blocks from a hash downwards, and the commit certificate when it is for one above or at it. */
export function answerBlocks(host: Host, { from, untilHeight }: GetBlocks): Message | null {
  const blocks: Block[] = [];
  let block = host.blocks.get(from);
  while (block && block.header.height > untilHeight && blocks.length < BLOCKS_A_REPLY) {
    blocks.push(block);
    block = host.blocks.get(block.header.parent);
  }
  if (blocks.length === 0) return null;
  const commit = host.state?.replica.durable.commitCert;
  const isCovered = commit !== undefined && commit.view > 0 && commit.block === from;
  return { type: "blocks", blocks, cert: isCovered ? commit : null };
}

/** How the epochs from this one on ended, as far as this host knows. */
export function answerProofs(host: Host, fromEpoch: number): Message | null {
  const proofs = [];
  for (let epoch = fromEpoch; proofs.length < PROOFS_A_REPLY; epoch++) {
    const proof = host.proofs.get(epoch);
    if (!proof) break;
    proofs.push(proof);
  }
  return proofs.length > 0 ? { type: "epoch_proofs", proofs } : null;
}

/** The epoch a message belongs to; null when it belongs to none. */
export function epochOf(message: Message): number | null {
  switch (message.type) {
    case "proposal":
      return message.block.header.epoch;
    case "vote":
    case "new_view":
    case "wish":
    case "status":
      return message.epoch;
    case "prepare":
    case "decide":
      return message.cert.epoch;
    case "tc":
      return message.tc.epoch;
    default:
      return null;
  }
}

/** What a host is asking its peers for. */
export class Asking {
  readonly #host: Host;
  readonly #fetches = new Map<Hash, number>();
  #count = 0;

  constructor(host: Host) {
    this.#host = host;
  }

  forget(): void {
    this.#fetches.clear();
  }

  /** Asks one peer after the other, 2Δ apart, until the block is there or somebody asks anew. */
  onFetch(fetch: Fetch): void {
    const turn = ++this.#count;
    this.#fetches.set(fetch.hash, turn);
    const { hash: from, untilHeight } = fetch;
    const mine = answerBlocks(this.#host, { type: "get_blocks", from, untilHeight, bytesMax: 0 });
    // The replica forgets blocks to keep its memory small; they may be on my own disk.
    if (mine) this.#host.later(0, () => this.#host.receive(this.#host.key, mine));
    else this.#ask(fetch, turn, 0);
  }

  #ask(fetch: Fetch, turn: number, at: number): void {
    const { hash, untilHeight, from } = fetch;
    const peer = from[at];
    const isOver = this.#fetches.get(hash) !== turn || this.#host.blocks.has(hash);
    if (peer === undefined || isOver) return;
    if (peer !== this.#host.key)
      this.#host.outlet(peer, { type: "get_blocks", from: hash, untilHeight, bytesMax: 1 << 20 });
    const pauseMs = peer === this.#host.key ? 0 : 2 * this.#host.config.deltaMs;
    this.#host.later(pauseMs, () => this.#ask(fetch, turn, at + 1));
  }
}
