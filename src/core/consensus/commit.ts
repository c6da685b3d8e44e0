import { compareRank } from "./certificates.ts";
import { type CommitPath, commitPathOf } from "./commit-path.ts";
import { alarm, contextOf, take } from "./emit.ts";
import { endEpoch, isEpochOver, knowsNextSet } from "./epoch-end.ts";
import { checkDivergence } from "./execution.ts";
import { forgetBody, pruneBlocks } from "./pruning.ts";
import { observeCommit, provesCommit } from "./safety-rules.ts";
import { measureSpan, timeoutOf } from "./spans.ts";
import type { Replica } from "./state.ts";
import type { Block, Cert } from "./types.ts";

/** Commit (§6.6): once per height, in order, and never beside what is committed. */

/** Committed heights whose hash is remembered. Below, an old certificate cannot be told from a fork. */
const HISTORY_MAX = 256;

/** Takes note of a commit certificate; the commit itself may have to wait for blocks. */
export function noteCommit(replica: Replica, cert: Cert): void {
  const { uncommitted, committed, durable } = replica;
  if (!provesCommit(contextOf(replica), durable, cert)) return;
  const isOld = cert.height <= committed.header.height && !isEpochOver(replica);
  if (isOld) compareWithHistory(replica, cert);
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

/** Commits what the highest commit certificate covers and I hold the bodies of. */
export function tryCommit(replica: Replica): void {
  const { uncommitted: cert, stuck, version } = replica;
  if (cert === null || mustNotCommit(replica)) return;
  if (stuck?.cert === cert && stuck.version === version) return;
  const path = commitPathOf(replica, cert);
  if (path === null) {
    alarm(replica, "fork", `the block of view ${cert.view} is beside my committed block`);
    return;
  }
  commitPath(replica, cert, path);
  if (replica.uncommitted === cert)
    replica.stuck = { cert, version: replica.version, missing: path.missing };
}

/** After a divergence, a fork or two certificates in a view nobody here knows what is right. */
function mustNotCommit({ halted }: Replica): boolean {
  return halted !== null && halted !== "amnesia";
}

function commitPath(replica: Replica, cert: Cert, { blocks, isWhole, ending }: CommitPath): void {
  const [final] = ending;
  if (isWhole && final !== undefined) {
    // The epoch ends at its epoch-final block: what is above is never final (§10.3).
    const commit = () => commitBlocks(replica, blocks, cert);
    if (knowsNextSet(replica, final)) endEpoch(replica, { headers: ending, cert }, commit);
    else commitBlocks(replica, blocks.slice(0, -1), cert);
    return;
  }
  if (isWhole) {
    replica.uncommitted = null;
    raiseCommitCert(replica, cert);
  }
  commitBlocks(replica, blocks, cert);
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
  forgiveFails(replica);
  replica.resends = 0;
  replica.resendAt = replica.now + 2 * replica.config.deltaMs;
  pruneBlocks(replica);
}

/** Views are short again from here on (§6.6); the present one is not over because it was to be a long one. */
function forgiveFails(replica: Replica): void {
  const before = timeoutOf(replica);
  replica.fails = 0;
  if (timeoutOf(replica) < before) measureSpan(replica);
}
