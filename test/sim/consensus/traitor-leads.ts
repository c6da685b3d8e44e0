import type { Message, Proposal } from "@/core/consensus/messages.ts";
import { quorumOf } from "@/core/consensus/quorum.ts";
import type { Hash, PublicKey } from "@/core/consensus/types.ts";
import { newTx } from "./application.ts";
import type { Passing, Traitor, TrickCode } from "./traitor.ts";

/** How a leader can lie. */

/** What is done with a proposal; everything else passes as it is. */
function onProposal(
  change: (traitor: Traitor, to: PublicKey, proposal: Proposal) => readonly Message[],
): { readonly pass: Passing } {
  return {
    pass: (traitor, to, message) =>
      message.type === "proposal" && traitor.lair.may("equivocate")
        ? change(traitor, to, message)
        : [message],
  };
}

/** One changed proposal for all, made once. */
function forAll(
  trick: (traitor: Traitor, proposal: Proposal) => Proposal,
  chance = 0.5,
): { readonly pass: Passing } {
  return onProposal((traitor, _to, proposal) => {
    const made = traitor.variants.get(proposal);
    if (made) return made;
    const said = traitor.stream.chance(chance) ? trick(traitor, proposal) : proposal;
    traitor.variants.set(proposal, [said]);
    traitor.variants.set(said, [said]);
    return [said];
  });
}

/** The chosen few of each message. */
const chosen = new WeakMap<Message, readonly PublicKey[]>();

function fewOf(traitor: Traitor, message: Message, count: number): readonly PublicKey[] {
  const few = chosen.get(message) ?? traitor.stream.shuffle(traitor.lair.others).slice(0, count);
  chosen.set(message, few);
  return few;
}

/** One, f + 1 or Q − 1 nodes: the sizes that matter. */
function few(traitor: Traitor): number {
  const n = traitor.committee?.validators.length ?? 1;
  const quorum = quorumOf(n);
  return traitor.stream.pick([1, n - quorum + 1, quorum - 1]);
}

const equivocate = onProposal((traitor, to, proposal) => {
  const variants = traitor.variants.get(proposal) ?? equivocations(traitor, proposal);
  traitor.variants.set(proposal, variants);
  for (const one of variants) traitor.variants.set(one, [one]);
  const first = traitor.lair.others.indexOf(to) % variants.length;
  const said = variants.filter((_, at) => at === first || traitor.stream.chance(0.2));
  return said.length > 0 ? said : [proposal];
});

function equivocations(traitor: Traitor, proposal: Proposal): Proposal[] {
  const { timestampMs } = proposal.block.header;
  const count = traitor.stream.chance(0.7) ? 2 : traitor.lair.others.length;
  return Array.from({ length: count }, (_, at) =>
    at === 0 ? proposal : traitor.reword(proposal, { timestampMs: timestampMs + at }),
  );
}

const proposeToFew = onProposal((traitor, to, proposal) =>
  fewOf(traitor, proposal, few(traitor)).includes(to) ? [proposal] : [],
);

const proposeLate = onProposal((traitor, to, proposal) => {
  const { timeoutMs } = traitor.host.config;
  traitor.sayAfter(traitor.stream.next() * 2 * timeoutMs, [to], proposal);
  return [];
});

/** On a certificate a little below the highest: the block above may be committed, unknown to most. */
const onStale = forAll((traitor, proposal) => {
  const { epoch } = proposal.block.header;
  const stale = traitor.coven.certs
    .filter((cert) => cert.epoch === epoch && cert.view < proposal.justify.view)
    .sort((a, b) => b.view - a.view)
    .filter((cert, at, all) => all[at - 1]?.view !== cert.view)
    .slice(0, 3);
  return stale.length > 0 ? traitor.rebase(proposal, traitor.stream.pick(stale)) : proposal;
}, 0.8);

const onOtherBranch = forAll((traitor, proposal) => {
  const { committee, coven } = traitor;
  const hidden = committee && coven.completeAny(committee, "P");
  const other = coven.certs.find(
    (cert) =>
      cert.epoch === proposal.block.header.epoch &&
      cert.view >= proposal.justify.view - 3 &&
      cert.block !== proposal.justify.block,
  );
  const justify = traitor.stream.chance(0.5) ? (hidden ?? other) : other;
  const isUsable = justify && justify.view > 0 && justify.view < proposal.block.header.view;
  return isUsable ? traitor.rebase(proposal, justify) : proposal;
});

const NOBODYS_ROOT = "ba".repeat(32) as Hash;

const wrongRoot = forAll(
  (traitor, proposal) => traitor.reword(proposal, { execRoot: NOBODYS_ROOT }),
  0.7,
);

const HOUR_MS = 3_600_000;

const future = forAll((traitor, proposal) => {
  const { timestampMs } = proposal.block.header;
  const ahead = traitor.stream.pick([500, 1_900, 2_200, HOUR_MS]);
  return traitor.reword(proposal, { timestampMs: timestampMs + ahead });
});

const repeatTxs = forAll((traitor, proposal) => {
  const old = [...traitor.coven.blocks.values()].slice(-6).flatMap(({ payload }) => payload.inline);
  const { inline } = proposal.block.payload;
  return traitor.reword(
    proposal,
    {},
    { inline: [...inline, ...old, ...old].slice(0, 12), batches: [] },
  );
});

const privateTxs = forAll((traitor, proposal) => {
  const { header, payload } = proposal.block;
  const tx = newTx({
    id: 1_000_000 + traitor.stream.int(1_000_000),
    validUntilMs: header.timestampMs + 60_000,
    members: null,
  });
  return traitor.reword(proposal, {}, { inline: [...payload.inline, tx].slice(-8), batches: [] });
});

const wrongPayload = forAll((_traitor, proposal) => ({
  ...proposal,
  block: { ...proposal.block, payload: { inline: [new Uint8Array(20)], batches: [] } },
}));

const finalUnasked = forAll((traitor, proposal) => {
  const isFinal = proposal.block.header.nextValidatorsHash !== null;
  return traitor.reword(proposal, {
    nextValidatorsHash: isFinal ? null : NOBODYS_ROOT,
    closing: traitor.stream.chance(0.2) ? proposal.justify.block : proposal.block.header.closing,
  });
});

/** What is done with the certificate of its own block. */
function onPrepare(
  change: (traitor: Traitor, to: PublicKey, message: Message) => readonly Message[],
): { readonly pass: Passing } {
  return {
    pass: (traitor, to, message) =>
      message.type === "prepare" && traitor.lair.may("prepare_to_one")
        ? change(traitor, to, message)
        : [message],
  };
}

const prepareToOne = onPrepare((traitor, to, message) => {
  if (!fewOf(traitor, message, 1).includes(to)) return [];
  traitor.sayAfter(traitor.stream.next() * 3 * traitor.host.config.timeoutMs, [to], message);
  return [];
});

const prepareLate = onPrepare((traitor, to, message) => {
  traitor.sayAfter(traitor.stream.next() * 2 * traitor.host.config.timeoutMs, [to], message);
  return [];
});

/** As leader of the next view it pulls some out of the present one as soon as there are votes for it. */
function prepareEarly(traitor: Traitor): void {
  const { committee, coven } = traitor;
  const cert = committee && coven.completeAny(committee, "P");
  if (cert) traitor.say(traitor.some(), { type: "prepare", cert });
}

export const LEADER_TRICKS = {
  equivocate,
  propose_to_few: proposeToFew,
  propose_late: proposeLate,
  propose_on_stale: onStale,
  propose_on_other_branch: onOtherBranch,
  wrong_exec_root: wrongRoot,
  future_timestamp: future,
  repeat_txs: repeatTxs,
  private_txs: privateTxs,
  wrong_payload: wrongPayload,
  final_block_unasked: finalUnasked,
  prepare_to_one: prepareToOne,
  prepare_late: prepareLate,
  prepare_early: { act: prepareEarly },
} as const satisfies Record<string, TrickCode>;
