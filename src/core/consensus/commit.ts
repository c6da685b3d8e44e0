import { headerOf, pathTo } from "./blocks.ts";
import { compareRank } from "./certificates.ts";
import { alarm, contextOf, take } from "./emit.ts";
import { endEpoch, isFinal, knowsNextSet } from "./epoch-end.ts";
import { checkDivergence } from "./execution.ts";
import { forgetBody, pruneBlocks } from "./pruning.ts";
import { observeCommit } from "./safety-rules.ts";
import type { Replica } from "./state.ts";
import type { Block, Cert, Hash } from "./types.ts";

/** Commit (§6.6): once per height, in order, and never beside what is committed. */

/** Committed heights whose hash is remembered. Below, an old certificate cannot be told from a fork. */
const HISTORY_MAX = 256;

/** Takes note of a commit certificate; the commit itself may have to wait for blocks. */
export function noteCommit(replica: Replica, cert: Cert): void {
  const { uncommitted, committed } = replica;
  if (cert.height <= committed.header.height) compareWithHistory(replica, cert);
  else if (uncommitted === null || compareRank(cert, uncommitted) > 0) replica.uncommitted = cert;
  tryCommit(replica);
}

function compareWithHistory(replica: Replica, cert: Cert): void {
  const { history, committed } = replica;
  const known = history.get(cert.height);
  if (known !== undefined && known !== cert.block)
    alarm(replica, "fork", `another block is committed at height ${cert.height}`);
  else if (cert.block === committed.hash) raiseCommitCert(replica, cert);
}

function raiseCommitCert(replica: Replica, cert: Cert): void {
  if (compareRank(cert, replica.durable.commitCert) <= 0) return;
  take(replica, observeCommit(contextOf(replica), replica.durable, cert), { lazy: false });
}

/** Commits what the highest commit certificate covers and I hold the bodies of, oldest first. */
export function tryCommit(replica: Replica): void {
  const cert = replica.uncommitted;
  if (cert === null || mustNotCommit(replica)) return;
  const path = pathTo(replica, cert.block);
  if (path.type === "conflict")
    alarm(replica, "fork", `the block of view ${cert.view} is beside my committed block`);
  if (path.type === "whole") commitPath(replica, cert, path.hashes);
}

function commitPath(replica: Replica, cert: Cert, hashes: readonly Hash[]): void {
  const final = hashes.findIndex((hash) => isFinal(headerOf(replica, hash)));
  if (final >= 0) {
    tryEndEpoch(replica, cert, { hashes, final });
    return;
  }
  const blocks = bodiesOf(replica, hashes);
  if (blocks.length === hashes.length) {
    replica.uncommitted = null;
    raiseCommitCert(replica, cert);
  }
  commitBlocks(replica, blocks, cert);
}

/** After a divergence, a fork or two certificates in a view nobody here knows what is right. */
function mustNotCommit({ halted }: Replica): boolean {
  return halted !== null && halted !== "amnesia";
}

/** The epoch ends at its epoch-final block: what is above is never final (§10.3). */
function tryEndEpoch(
  replica: Replica,
  cert: Cert,
  { hashes, final }: { readonly hashes: readonly Hash[]; readonly final: number },
): void {
  const blocks = bodiesOf(replica, hashes.slice(0, final + 1));
  const last = blocks[final];
  if (last === undefined || !knowsNextSet(replica, last)) {
    commitBlocks(replica, blocks.slice(0, final), cert);
    return;
  }
  const above = hashes.slice(final + 1).flatMap((hash) => headerOf(replica, hash) ?? []);
  const ended = { headers: [last.header, ...above], cert };
  endEpoch(replica, last, ended, () => commitBlocks(replica, blocks, cert));
}

/** The blocks of a path up to the first whose body is not here. */
function bodiesOf({ blocks }: Replica, hashes: readonly Hash[]): readonly Block[] {
  const bodies: Block[] = [];
  for (const hash of hashes) {
    const known = blocks.get(hash);
    if (known === undefined) break;
    bodies.push(known.block);
  }
  return bodies;
}

function commitBlocks(replica: Replica, blocks: readonly Block[], cert: Cert): void {
  const last = blocks.at(-1);
  if (last === undefined) return;
  replica.effects.push({ type: "commit", blocks, cert });
  for (const { hash, header } of blocks) {
    forgetBody(replica, hash);
    replica.history.set(header.height, hash);
    replica.history.delete(header.height - HISTORY_MAX);
    checkDivergence(replica, header);
  }
  replica.committed = { hash: last.hash, header: last.header };
  replica.fails = 0;
  replica.resends = 0;
  replica.resendAt = replica.now + 2 * replica.config.deltaMs;
  pruneBlocks(replica);
}
