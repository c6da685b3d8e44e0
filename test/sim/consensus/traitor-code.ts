import type { TrickCode } from "./traitor.ts";
import { FORGERIES } from "./traitor-forgeries.ts";
import { LEADER_TRICKS } from "./traitor-leads.ts";
import { VIEW_TRICKS } from "./traitor-views.ts";
import { VOTE_TRICKS } from "./traitor-votes.ts";
import type { Trick } from "./tricks.ts";

/** What each trick does. */
export const TRICK_CODE: Readonly<Record<Trick, TrickCode>> = {
  ...LEADER_TRICKS,
  ...VOTE_TRICKS,
  ...FORGERIES,
  ...VIEW_TRICKS,
};
