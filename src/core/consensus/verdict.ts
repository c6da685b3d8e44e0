/** What becomes of a proposal now: it gets my vote, it may get it later in its view, or never. */
export type Verdict = "vote" | "wait" | "refuse";
