import { newBlock, sumUp } from "./block.ts";
import { addBlock } from "./blocks.ts";
import { persist, sendWhenDurable } from "./emit.ts";
import { closingAbove, nextSetAt } from "./epoch-end.ts";
import { executionFor } from "./execution.ts";
import * as rules from "./safety-rules.ts";
import type { Replica } from "./state.ts";
import { timestampFor } from "./timestamps.ts";
import type { Block, Hash, Header, Payload } from "./types.ts";

/** Making and sending a proposal (§6.3, 7). */

/** What a leader adds to what follows from its state. */
export interface Content {
  readonly payload: Payload;
  readonly evidenceRoot: Hash;
}

/** Proposes a block on my highest certificate, once in a view. */
export function propose(replica: Replica, parent: Header, content: Content): void {
  if (replica.me === null) return;
  const { durable, view, entry } = replica;
  const block = newBlock(headerFor(replica, parent, content), content.payload);
  const decision = rules.propose(durable, { view, block: block.hash });
  if (decision.type === "refused") return;
  addBlock(replica, block);
  persist(replica, decision.durable, false);
  const { highCert: justify, commitCert: commit } = durable;
  replica.proposal = { type: "proposal", block, justify, commit, entry };
  sendWhenDurable(replica, "all", replica.proposal);
}

function headerFor(replica: Replica, parent: Header, content: Content): Header {
  const { config, committee, view, durable, me } = replica;
  const { highCert } = durable;
  const execution = executionFor(replica, parent);
  const closing = closingAbove(replica, highCert.block, parent);
  return {
    ver: 1,
    chainId: config.chainId,
    epoch: committee.epoch,
    view,
    height: highCert.height + 1,
    parent: highCert.block,
    justifyView: highCert.view,
    proposer: me ?? 0,
    timestampMs: timestampFor(replica, parent),
    ...sumUp(content.payload),
    ...execution,
    evidenceRoot: content.evidenceRoot,
    nextValidatorsHash: closing === null ? nextSetAt(replica, execution.execHeight) : null,
    closing,
  };
}

/** My last proposal, put together again from what is on disk after a restart (§8.2). */
export function recoverProposal(replica: Replica, block: Block | undefined): void {
  const { durable, view, me } = replica;
  const { lastProposedView, lastProposal, highCert, lock, highTC, commitCert } = durable;
  if (block === undefined || lastProposedView !== view || block.hash !== lastProposal) return;
  const justify = [highCert, lock].find(
    (cert) => cert.block === block.header.parent && cert.view === block.header.justifyView,
  );
  if (justify === undefined || me === null) return;
  const entry = highTC?.view === view ? highTC : null;
  replica.proposal = { type: "proposal", block, justify, commit: commitCert, entry };
}
