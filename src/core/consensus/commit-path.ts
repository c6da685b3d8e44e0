import { headerOf, pathTo } from "./blocks.ts";
import { isEpochOver, isFinal } from "./epoch-end.ts";
import type { Replica } from "./state.ts";
import type { Block, Cert, Hash, Header } from "./types.ts";

/** What a commit certificate covers, as far as I know it (§6.6, §8.1). */
export interface CommitPath {
  /** What can be committed now, oldest first: nothing above the first block whose body I lack. */
  readonly blocks: readonly Block[];
  /** Those are all that it commits. */
  readonly isWhole: boolean;
  /** The epoch-final block, and the headers above it: they end the epoch. Empty while it goes on. */
  readonly ending: readonly Header[];
  /** What to ask for next. */
  readonly missing: Hash | null;
}

/** Headers between my committed block and a certificate; beyond, only a snapshot helps (§8.3). */
const HEADERS_MAX = 10_000;
/** Heights asked for at a time, once their headers are known. */
const SEGMENT = 64;

/** The path of a commit certificate, null when it ends beside my committed block. */
export function commitPathOf(replica: Replica, cert: Cert): CommitPath | null {
  const { blocks, links } = replica;
  const path = pathTo(replica, cert.block);
  if (path.type === "conflict") return null;
  if (path.type === "whole") return measure(replica, path.hashes);
  const missing = blocks.size + links.size > HEADERS_MAX ? null : path.hash;
  return { blocks: [], isWhole: false, ending: [], missing };
}

function measure(replica: Replica, hashes: readonly Hash[]): CommitPath {
  const headers = hashes.flatMap((hash) => headerOf(replica, hash) ?? []);
  if (isEpochOver(replica)) {
    const ending = [replica.committed.header, ...headers];
    return { blocks: [], isWhole: true, ending, missing: null };
  }
  const final = headers.findIndex((header) => isFinal(header, replica.committee));
  const needed = final < 0 ? hashes : hashes.slice(0, final + 1);
  const blocks = bodiesOf(replica, needed);
  return {
    blocks,
    isWhole: blocks.length === needed.length,
    ending: final < 0 ? [] : headers.slice(final),
    missing: missingIn(replica, needed.slice(blocks.length)),
  };
}

function bodiesOf({ blocks }: Replica, hashes: readonly Hash[]): readonly Block[] {
  const bodies: Block[] = [];
  for (const hash of hashes) {
    const known = blocks.get(hash);
    if (known === undefined) break;
    bodies.push(known.block);
  }
  return bodies;
}

/** The highest of the bodies that are missing side by side at the bottom, of so many at most. */
function missingIn({ blocks }: Replica, hashes: readonly Hash[]): Hash | null {
  const segment = hashes.slice(0, SEGMENT);
  const end = segment.findIndex((hash) => blocks.has(hash));
  return segment.at(end < 0 ? -1 : end - 1) ?? null;
}
