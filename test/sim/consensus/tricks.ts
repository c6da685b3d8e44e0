/** What a liar may do, by name (hotstuff2-testing.md, section 2); what each is stands in `traitor-*.ts`. */
export const TRICKS_OF_LEADERS = [
  "equivocate",
  "propose_to_few",
  "propose_late",
  "propose_on_stale",
  "propose_on_other_branch",
  "wrong_exec_root",
  "future_timestamp",
  "repeat_txs",
  "private_txs",
  "wrong_payload",
  "final_block_unasked",
  "prepare_to_one",
  "prepare_early",
  "prepare_late",
] as const;

const TRICKS_WITH_VOTES = [
  "vote_for_everything",
  "commit_vote_left_views",
  "wrong_justify_view",
  "votes_to_few",
  "vote_in_names_of_others",
] as const;

const TRICKS_WITH_CERTIFICATES = [
  "release_old_certificates",
  "form_hidden_certificates",
  "forge_certificates",
] as const;

const TRICKS_WITH_VIEWS = [
  "wish_huge",
  "wish_oscillating",
  "mixed_timeouts",
  "timeout_to_one",
  "stale_new_view",
  "false_status",
] as const;

const TRICKS_WITH_EVERYTHING = [
  "silence",
  "two_faces",
  "replay",
  "exchange_body",
  "false_blocks",
  "false_epoch_proofs",
  "flood",
  "amnesia",
] as const;

/** The tricks by their sort: a liar that plays a few of different sorts goes further than one that plays all. */
export const TRICK_SORTS = [
  TRICKS_OF_LEADERS,
  TRICKS_WITH_VOTES,
  TRICKS_WITH_CERTIFICATES,
  TRICKS_WITH_VIEWS,
  TRICKS_WITH_EVERYTHING,
] as const;

/** The name of a trick. */
export type Trick = (typeof TRICK_SORTS)[number][number];

export const TRICKS: readonly Trick[] = TRICK_SORTS.flat();
