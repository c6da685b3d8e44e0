import { headerOf } from "./blocks.ts";
import type { Replica } from "./state.ts";
import type { Block, Hash } from "./types.ts";

/** Which blocks are forgotten, so that memory has a bound (§6.6, §8.1, L9). */

/** Forgets all that does not extend the committed block, and what is not above it. */
export function pruneBlocks(replica: Replica): void {
  const { blocks, links, committed } = replica;
  if (blocks.size + links.size === 0) return;
  const all = [...blocks.keys(), ...links.keys()].flatMap((hash) => {
    const header = headerOf(replica, hash);
    return header && hash !== committed.hash ? [{ hash, header }] : [];
  });
  const dropped = new Set<Hash>();
  for (const { hash, header } of all.sort((a, b) => a.header.height - b.header.height)) {
    const isLow = header.height <= committed.header.height;
    const isBeside =
      header.height === committed.header.height + 1 && header.parent !== committed.hash;
    if (isLow || isBeside || dropped.has(header.parent)) dropped.add(hash);
  }
  for (const hash of dropped) dropBlock(replica, hash);
  replica.blocksBound = 0;
}

/** Forgets a block; its transactions go back to the mempool and to everybody (§7.4). */
export function dropBlock(replica: Replica, hash: Hash): void {
  const block = forgetBody(replica, hash);
  replica.links.delete(hash);
  if (block) readmit(replica, block);
}

/** Gives the transactions of a block that may never be committed back to the mempool (§7.4). */
export function readmit(replica: Replica, block: Block): void {
  if (block.header.txCount > 0) replica.effects.push({ type: "readmit", block });
}

/** Forgets the body of a block. */
export function forgetBody(replica: Replica, hash: Hash): Block | undefined {
  const known = replica.blocks.get(hash);
  if (known === undefined) return undefined;
  replica.version++;
  replica.blocks.delete(hash);
  replica.blockBytes -= known.block.header.payloadBytes;
  return known.block;
}

/**
 * Keeps no more than 4n blocks that nothing leads to, the newest, and no more bytes than configured.
 * Of a sync that is too long the highest bodies go, as the lowest are committed first; their headers
 * stay.
 */
export function boundBlocks(replica: Replica): void {
  const { blocks, config, committee } = replica;
  const spareMax = 4 * committee.validators.length;
  if (blocks.size <= Math.max(spareMax, replica.blocksBound) && !isFull(replica)) return;
  const needed = neededBlocks(replica);
  const spare = [...blocks.values()]
    .filter(({ block }) => !needed.has(block.hash))
    .sort((a, b) => a.block.header.view - b.block.header.view);
  for (const [at, { block }] of spare.entries())
    if (isFull(replica) || spare.length - at > spareMax) dropBlock(replica, block.hash);
  if (isFull(replica)) keepHeaders(replica, config.orphanBytesMax * 0.75);
  replica.blocksBound = 2 * blocks.size;
}

function isFull({ blockBytes, config }: Replica): boolean {
  return blockBytes > config.orphanBytesMax;
}

/** What a certificate or the present proposal leads to. */
function neededBlocks(replica: Replica): ReadonlySet<Hash> {
  const { durable, uncommitted, proposals, view, committed } = replica;
  const needed = new Set<Hash>([committed.hash]);
  const { first } = proposals.get(view) ?? { first: null };
  const tips = [durable.highCert.block, durable.lock.block, uncommitted?.block, first?.block.hash];
  for (const tip of tips)
    for (let at = tip; at !== undefined && !needed.has(at); at = headerOf(replica, at)?.parent)
      needed.add(at);
  return needed;
}

function keepHeaders(replica: Replica, bytesMax: number): void {
  const loose = [...replica.blocks.values()]
    .filter(({ isRooted }) => !isRooted)
    .sort((a, b) => b.block.header.height - a.block.header.height);
  for (const { block } of loose) {
    if (replica.blockBytes <= bytesMax) return;
    forgetBody(replica, block.hash);
    replica.links.set(block.hash, block.header);
  }
}
