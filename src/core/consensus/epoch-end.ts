import { validatorsHashOf } from "./digest.ts";
import { alarm, contextOf, persist } from "./emit.ts";
import { dropBlock } from "./pruning.ts";
import { type Committee, indexOf } from "./quorum.ts";
import { switchEpoch } from "./safety-rules.ts";
import type { Replica } from "./state.ts";
import { arm, cancel } from "./timers.ts";
import type { Block, EpochProof, Hash, Header } from "./types.ts";
import type { Verdict } from "./verdict.ts";

/** How an epoch ends (§10.3): at an epoch-final block, everything at once. */

/** Whether a header ends the epoch of this committee; its genesis ended the one before. */
export function isFinal({ epoch, nextValidatorsHash }: Header, committee: Committee): boolean {
  return nextValidatorsHash !== null && epoch === committee.epoch;
}

/** Whether my committed block ended this epoch, and the record of it was lost in a crash (§10.3, 4). */
export function isEpochOver({ committed, committee }: Replica): boolean {
  return isFinal(committed.header, committee);
}

/** What a child of this block has to say in `closing`: the epoch-final block on its branch. */
export function closingAbove({ committee }: Replica, parent: Hash, header: Header): Hash | null {
  if (parent === committee.genesis) return null;
  return header.nextValidatorsHash === null ? header.closing : parent;
}

/** The set of validators that shall come next, null when nobody wants another (§10.3). */
export function nextSetAt(replica: Replica, execHeight: number): Hash | null {
  const { executions, committee } = replica;
  const pending = executions.get(execHeight)?.pendingValidators ?? null;
  // Below the genesis the request that this epoch has fulfilled is still pending.
  if (pending === null || execHeight < committee.genesisHeight) return null;
  const wanted = validatorsHashOf(pending);
  return wanted === validatorsHashOf(committee.validators) ? null : wanted;
}

/** Whether the application has asked for another set, and this epoch has not ended yet. */
export function isEpochEnding(replica: Replica): boolean {
  return nextSetAt(replica, replica.executed.height) !== null;
}

/** The epoch fields of a proposal (V9): one final block, and nothing but empty blocks above it. */
export function judgeEpoch(replica: Replica, block: Block, parent: Header): Verdict {
  const { header, payload } = block;
  const closing = closingAbove(replica, header.parent, parent);
  if (header.closing !== closing) return "refuse";
  const isEmpty = payload.inline.length + payload.batches.length === 0;
  if (closing !== null) return isEmpty && header.nextValidatorsHash === null ? "vote" : "refuse";
  if (header.nextValidatorsHash === null) return "vote";
  if (header.execHeight > replica.executed.height) return "wait";
  return nextSetAt(replica, header.execHeight) === header.nextValidatorsHash ? "vote" : "refuse";
}

/** Whether I know who the validators are that an epoch-final block names: executed, or proven. */
export function knowsNextSet({ sets }: Replica, { nextValidatorsHash }: Header): boolean {
  return nextValidatorsHash !== null && sets.has(nextValidatorsHash);
}

/** Ends the epoch: the commit of its final block and the new epoch are one record (§10.3, 4 and 5). */
export function endEpoch(
  replica: Replica,
  ended: Pick<EpochProof, "headers" | "cert">,
  commit: () => void,
): void {
  const nextHash = ended.headers[0]?.nextValidatorsHash;
  const validators = nextHash ? replica.sets.get(nextHash) : null;
  const proof = { ...ended, validators: validators ?? [] };
  const decision = switchEpoch(contextOf(replica), replica.durable, proof);
  if (decision.type === "refused") {
    alarm(replica, "safety", "a block above an epoch-final one is final");
    return;
  }
  const { committee, durable } = decision;
  // The record of the next epoch is worth nothing without its committee, which the proof holds.
  replica.effects.push({ type: "switch_epoch", committee, proof });
  persist(replica, durable, false);
  commit();
  beginEpoch(replica, committee);
}

/** View 1 of the next epoch: its genesis is certified and committed, and nothing else is known. */
function beginEpoch(replica: Replica, committee: Committee): void {
  const { config } = replica;
  replica.committee = committee;
  const isVoter = config.role === "validator" && replica.isRecorded && replica.halted === null;
  replica.me = isVoter ? indexOf(committee, config.me) : null;
  replica.view = 1;
  replica.enteredBy = "cert";
  replica.entry = null;
  replica.fails = 0;
  replica.span = { view: 1, at: replica.now };
  replica.status = "idle";
  replica.timedOut = null;
  replica.greeted = 0;
  replica.greetedAgain = 0;
  replica.failedLeads = 0;
  replica.resends = 0;
  replica.resendAt = replica.now + 2 * config.deltaMs;
  replica.lead = null;
  replica.proposal = null;
  replica.uncommitted = null;
  replica.stuck = null;
  replica.wished = { some: 0, quorum: 0 };
  forget(replica);
}

function forget(replica: Replica): void {
  const { votes, commitVotes, certs, proposals, wishes, newViews, links, fetching } = replica;
  for (const map of [votes, commitVotes, certs, proposals, wishes, newViews, links, fetching])
    map.clear();
  for (const hash of [...replica.blocks.keys()]) dropBlock(replica, hash);
  for (const timer of [...replica.timers.keys()]) if (timer !== "status") cancel(replica, timer);
  // Who has missed the end hears of the new epoch at once, and asks for the proof.
  arm(replica, "status", replica.now);
}
