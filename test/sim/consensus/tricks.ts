/** What a liar may do, by name (hotstuff2-testing.md, section 2); what each is stands in `traitor-*.ts`. */
export const TRICKS = [
  // As a leader.
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
  // With votes.
  "vote_for_everything",
  "commit_vote_left_views",
  "wrong_justify_view",
  "votes_to_few",
  "vote_in_names_of_others",
  // With certificates.
  "release_old_certificates",
  "form_hidden_certificates",
  "forge_certificates",
  // With views.
  "wish_huge",
  "wish_oscillating",
  "mixed_timeouts",
  "timeout_to_one",
  "stale_new_view",
  "false_status",
  // With everything.
  "silence",
  "two_faces",
  "replay",
  "false_blocks",
  "false_epoch_proofs",
  "flood",
  "amnesia",
] as const;

/** The name of a trick. */
export type Trick = (typeof TRICKS)[number];
