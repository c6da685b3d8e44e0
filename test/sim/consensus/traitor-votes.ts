import { leaderOf } from "@/core/consensus/quorum.ts";
import type { Ballot, PublicKey, Vote } from "@/core/consensus/types.ts";
import { signVote } from "./coven.ts";
import type { Traitor, TrickCode } from "./traitor.ts";

/** How a voter can lie. */

function cast(traitor: Traitor, ballot: Ballot): Vote {
  return signVote(traitor.lair.pen, { ...ballot, type: "vote", signer: traitor.index });
}

/** To whom a vote is of use. */
function receivers(traitor: Traitor, { kind, view }: Ballot): readonly PublicKey[] {
  const { committee } = traitor;
  if (kind === "C" || !committee) return traitor.lair.others;
  const leader = committee.validators[leaderOf(committee, view)];
  return leader && leader !== traitor.host.key ? [leader] : [];
}

function voteForEverything(traitor: Traitor): void {
  if (traitor.index < 0) return;
  for (const block of [...traitor.coven.blocks.values()].slice(-3))
    for (const kind of ["P", "C"] as const) {
      const ballot: Ballot = { ...block.header, kind, block: block.hash };
      traitor.say(receivers(traitor, ballot), cast(traitor, ballot));
    }
}

function commitVoteLeftViews(traitor: Traitor): void {
  const left = traitor.coven.certs.filter(({ kind, view }) => kind === "P" && view < traitor.view);
  if (left.length === 0 || traitor.index < 0) return;
  const cert = traitor.stream.pick(left.slice(-6));
  traitor.say(traitor.some(), cast(traitor, { ...cert, kind: "C" }));
}

/** Says another justify view, or another height, than the block has. */
const wrongJustifyView: TrickCode = {
  pass: (traitor, _to, message) => {
    if (message.type !== "vote" || !traitor.stream.chance(0.5)) return [message];
    const isHeight = traitor.stream.chance(0.3);
    const changed = isHeight
      ? { height: message.height + 1 }
      : { justifyView: traitor.stream.int(Math.max(1, message.view)) };
    return traitor.lair.may("wrong_justify_view")
      ? [cast(traitor, { ...message, ...changed })]
      : [message];
  },
};

const votesToFew: TrickCode = {
  pass: (traitor, _to, message) =>
    message.type === "vote" && traitor.stream.chance(0.5) && traitor.lair.may("votes_to_few")
      ? []
      : [message],
};

/** Signs for others with its own pen, or shows their votes as votes of another kind or epoch. */
function inNamesOfOthers(traitor: Traitor): void {
  const { committee, stream, coven } = traitor;
  const votes = coven.messages.filter((message) => message.type === "vote");
  if (!committee || votes.length === 0) return;
  const vote = stream.pick(votes);
  const signer = stream.int(committee.validators.length);
  const stolen: Vote = stream.pick([
    { ...vote, kind: vote.kind === "P" ? "C" : "P" },
    { ...vote, epoch: committee.epoch },
    { ...vote, view: vote.view + 1 },
    { ...vote, signer },
    { ...cast(traitor, vote), signer },
  ]);
  traitor.say(traitor.some(), stolen);
}

export const VOTE_TRICKS = {
  vote_for_everything: { act: voteForEverything },
  commit_vote_left_views: { act: commitVoteLeftViews },
  wrong_justify_view: wrongJustifyView,
  votes_to_few: votesToFew,
  vote_in_names_of_others: { act: inNamesOfOthers },
} as const satisfies Record<string, TrickCode>;
