import type { KnownBlock, Replica } from "./state.ts";
import type { Block, Hash, Header } from "./types.ts";

/**
 * The blocks above my committed one (§8.1). A block is `rooted` when it and all between it and the
 * committed block are here with their bodies. What is in here has been given to the disk.
 */

/** Takes a block whose hash or leader vouches for it. */
export function addBlock(replica: Replica, block: Block): void {
  const { blocks, links, committed } = replica;
  if (blocks.has(block.hash) || block.header.height <= committed.header.height) return;
  blocks.set(block.hash, { block, isRooted: false, isStored: false });
  links.delete(block.hash);
  replica.version++;
  replica.blockBytes += block.header.payloadBytes;
  replica.effects.push({ type: "store_block", block });
}

/** The header of a block I know at all. */
export function headerOf(replica: Replica, hash: Hash): Header | null {
  const { blocks, links, committed } = replica;
  if (hash === committed.hash) return committed.header;
  return blocks.get(hash)?.block.header ?? links.get(hash) ?? null;
}

/** Where the way down from a block ends: at my committed block, at one I lack, or beside it. */
export type Root =
  | { readonly type: "rooted" }
  | { readonly type: "missing"; readonly hash: Hash }
  | { readonly type: "conflict" };

const ROOTED = { type: "rooted" } as const;
const CONFLICT = { type: "conflict" } as const;

/** Follows the parents of a block, bodies included. What is found to be rooted is remembered. */
export function rootOf(replica: Replica, hash: Hash): Root {
  const { blocks, committed } = replica;
  const passed: KnownBlock[] = [];
  for (let at = hash; at !== committed.hash; ) {
    const known = blocks.get(at);
    if (known === undefined) return { type: "missing", hash: at };
    if (known.isRooted) break;
    passed.push(known);
    if (isBeside(replica, known.block.header)) return CONFLICT;
    at = known.block.header.parent;
  }
  for (const known of passed) known.isRooted = true;
  return ROOTED;
}

/** Whether a header stands on another block of the committed height. */
function isBeside({ committed }: Replica, { height, parent }: Header): boolean {
  return height <= committed.header.height + 1 && parent !== committed.hash;
}

/** The headers from above my committed block up to this one, oldest first. */
export type Path =
  | { readonly type: "whole"; readonly hashes: readonly Hash[] }
  | { readonly type: "missing"; readonly hash: Hash }
  | { readonly type: "conflict" };

/** Follows the parents of a block by header alone: enough to know what a certificate commits (§6.6). */
export function pathTo(replica: Replica, hash: Hash): Path {
  const { committed } = replica;
  const hashes: Hash[] = [];
  for (let at = hash; at !== committed.hash; ) {
    const header = headerOf(replica, at);
    if (header === null) return { type: "missing", hash: at };
    if (isBeside(replica, header)) return CONFLICT;
    hashes.push(at);
    at = header.parent;
  }
  return { type: "whole", hashes: hashes.reverse() };
}
