import { hasItsPayload } from "./block.ts";
import { addBlock, headerOf, rootOf } from "./blocks.ts";
import { compareRank } from "./certificates.ts";
import { checkMemory } from "./certified.ts";
import { keyOfLeader } from "./commit-vote.ts";
import { contextOf, report, sendWhenDurable, take, trace } from "./emit.ts";
import { judgeEpoch } from "./epoch-end.ts";
import { findDoubleProposal } from "./evidence.ts";
import { judgeExecution } from "./execution.ts";
import { BLOCK_BYTES_MAX, BLOCK_TXS_MAX } from "./limits.ts";
import type { Proposal } from "./messages.ts";
import { leaderOf } from "./quorum.ts";
import { prepareVote } from "./safety-rules.ts";
import { proposedBy } from "./signatures.ts";
import type { Proposals, Replica } from "./state.ts";
import { judgeTimestamp } from "./timestamps.ts";
import type { Block, Cert, Hash, Header } from "./types.ts";
import type { Verdict } from "./verdict.ts";
import { PREPARE_VIEWS_KEPT } from "./views.ts";

/** Judging proposals and voting for them (§6.4). */

/** A verified proposal; the certificates in it have been fed (V3). */
export function onProposal(replica: Replica, proposal: Proposal): void {
  const { committee, proposals, view } = replica;
  const { header } = proposal.block;
  if (header.proposer !== leaderOf(committee, header.view)) return; // V1, but for the signature
  if (header.proposer === replica.me) checkMemory(replica, proposedBy(proposal));
  if (header.view > view + 2 * committee.validators.length) return; // V4
  adoptLate(replica, proposal.block);
  const known = proposals.get(header.view);
  if (known !== undefined)
    onAnother(replica, known, proposal); // V5
  else if (header.view >= view - PREPARE_VIEWS_KEPT) onFirst(replica, proposal); // V4
}

/** One of a view that I have left is only there to be compared with another one. */
function onFirst(replica: Replica, proposal: Proposal): void {
  const { header, hash } = proposal.block;
  replica.proposals.set(header.view, { first: proposal, isRefused: !isWhole(proposal) });
  if (hash === replica.durable.lastVote?.block) sendVote(replica); // V6
}

/**
 * V2 and V9 of what the leader's signature does not cover: it is over the hash alone, so who passes a
 * proposal on can exchange the payload or the justify. SafetyRules ask for all of V2.
 */
function isWhole({ block, justify }: Proposal): boolean {
  return block.header.parent === justify.block && hasItsPayload(block);
}

/** A body that was certified before it came. */
function adoptLate(replica: Replica, block: Block): void {
  const certified = replica.certs.get(block.header.view);
  if (certified?.block === block.hash || replica.fetching.has(block.hash))
    if (hasItsPayload(block)) addBlock(replica, block);
}

/**
 * The same again asks for my vote again (V6), and takes the place of a copy that was spoilt on its
 * way; another one shows that the leader lies (V5).
 */
function onAnother(replica: Replica, known: Proposals, second: Proposal): void {
  const { first } = known;
  const { hash, header } = second.block;
  report(replica, findDoubleProposal(proposedBy(first), proposedBy(second)));
  if (first.block.hash === hash && !isWhole(first) && isWhole(second))
    replica.proposals.set(header.view, { first: second, isRefused: false });
  const { lastVote } = replica.durable;
  if (lastVote?.view === replica.view && lastVote.block === hash) sendVote(replica);
}

/** Votes for the first proposal of my view, as soon as it has become votable (§5.1, 4). */
export function tryVote(replica: Replica): void {
  const { proposals, view, durable, me } = replica;
  const proposal = proposals.get(view);
  replica.heldUntil = null;
  if (me === null || durable.lastVotedView >= view || !proposal || proposal.isRefused) return;
  const { block, justify } = proposal.first;
  const verdict = judge(replica, proposal.first);
  if (verdict === "wait") return;
  const { header } = block;
  const decision = prepareVote(contextOf(replica), durable, { view, header, justify });
  if (verdict === "refuse" || decision.type === "refused") {
    proposal.isRefused = true;
    trace(replica, decision.type === "refused" ? decision.refusal : "bad_header");
    return;
  }
  addBlock(replica, block);
  take(replica, decision, { lazy: false });
  sendVote(replica);
}

/** Sends my last prepare vote to the leader of its view. */
export function sendVote(replica: Replica): void {
  const { lastVote } = replica.durable;
  if (lastVote === null || replica.me === null) return;
  sendWhenDurable(replica, [keyOfLeader(replica.committee, lastVote.view)], lastVote);
}

/** V7 to V10, in their order. V6 and the rest of V2 are left to SafetyRules, which ask V7 again. */
function judge(replica: Replica, { block, justify }: Proposal): Verdict {
  const { header } = block;
  if (compareRank(justify, replica.durable.lock) < 0) return "refuse"; // V7
  if (isBelowCommitted(replica, justify)) return "refuse"; // V8
  if (!isOfThisChain(replica, block)) return "refuse"; // V9
  const root = rootOf(replica, header.parent); // V8
  const parent = headerOf(replica, header.parent);
  if (root.type === "conflict") return "refuse";
  if (root.type === "missing" || parent === null) return "wait";
  const verdict = judgeHeader(replica, block, parent);
  return verdict === "vote" && !hasBatches(replica, block) ? "wait" : verdict;
}

/** V10: whoever stores the block gets its batches first. */
function hasBatches(replica: Replica, block: Block): boolean {
  if (block.payload.batches.length === 0) return true;
  addBlock(replica, block);
  return replica.blocks.get(block.hash)?.isStored === true;
}

/** A block is on disk, and all its batches. */
export function onBlockStored({ blocks }: Replica, hash: Hash): void {
  const known = blocks.get(hash);
  if (known) known.isStored = true;
}

function isBelowCommitted({ committed }: Replica, { height, block }: Cert): boolean {
  const isBeside = height === committed.header.height && block !== committed.hash;
  return isBeside || height < committed.header.height;
}

function isOfThisChain({ config, committee }: Replica, block: Block): boolean {
  const { chainId, epoch, payloadBytes, txCount } = block.header;
  return (
    chainId === config.chainId &&
    epoch === committee.epoch &&
    payloadBytes <= BLOCK_BYTES_MAX &&
    txCount <= BLOCK_TXS_MAX &&
    hasItsPayload(block)
  );
}

/** V9: a no counts more than a not yet. */
function judgeHeader(replica: Replica, block: Block, parent: Header): Verdict {
  const verdicts = [
    judgeEpoch(replica, block, parent),
    judgeExecution(replica, block.header, parent),
    judgeTimestamp(replica, block.header, parent),
  ];
  if (verdicts.includes("refuse")) return "refuse";
  return verdicts.includes("wait") ? "wait" : "vote";
}
