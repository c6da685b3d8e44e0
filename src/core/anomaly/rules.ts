/** What is noticed: one word per rule; it is API and never renamed. */
export type AnomalyRule =
  | "enrolments_failing"
  | "logins_failing"
  | "denials"
  | "lock_out"
  | "credential_spread"
  | "claims_behind"
  | "clock_stepped"
  | "node_clock_skewed"
  | "node_doubled"
  | "audit_inconsistent";

/** When a rule speaks: so many signals, or so many different ones, within a time. */
export interface RuleTerms {
  readonly count: number;
  readonly windowMs: number;
}

/** The terms of every rule. */
export type Terms = Readonly<Record<AnomalyRule, RuleTerms>>;

/** What a rule counts and how it is put to the operator. */
export interface Rule {
  /** Whether different members are counted (addresses), and not signals. */
  readonly isDistinct: boolean;
  /** What happens, to be followed by whom it concerns. */
  readonly says: string;
  /** What to do about it. */
  readonly advice: string;
}

/** Every rule, as it is put to the operator. */
export const RULES: Readonly<Record<AnomalyRule, Rule>> = {
  enrolments_failing: {
    isDistinct: false,
    says: "enrolments or renewals keep failing from",
    advice:
      "Somebody mistypes a join token, or guesses. Ask who is at that address; revoke tokens that are not needed: galaxy-pool token list.",
  },
  logins_failing: {
    isDistinct: false,
    says: "logins keep failing from",
    advice: "Somebody mistypes a password or key, or guesses. Ask who is at that address.",
  },
  denials: {
    isDistinct: false,
    says: "what is not allowed is tried again and again by",
    advice:
      "A program has the wrong role, or somebody looks around. See what was asked for in the audit; give the role or revoke the credential.",
  },
  lock_out: {
    isDistinct: false,
    says: "too many failed attempts locked out",
    advice:
      "It is let in again by itself. Whoever is there needs a good token or password; a stranger there should be looked for.",
  },
  credential_spread: {
    isDistinct: true,
    says: "one credential is used from many addresses:",
    advice:
      "Its owner travels, or somebody has a copy. Ask the owner; revoke or replace it when in doubt.",
  },
  claims_behind: {
    isDistinct: false,
    says: "claims that were counted already keep coming from node",
    advice:
      "Its answers get lost, or its data was rolled back (a restored snapshot). It loses nothing twice and gains nothing; look at its network and its disk.",
  },
  clock_stepped: {
    isDistinct: false,
    says: "the clock was set while the pool ran:",
    advice:
      "See who sets the time of this machine (chronyc sources, timedatectl). Slots it skipped cost no node; galaxy-pool status says whether the time is believed.",
  },
  node_clock_skewed: {
    isDistinct: false,
    says: "the time a node claims is far from the pool's: node",
    advice: "Set the clock of that machine, and let it be synchronised.",
  },
  node_doubled: {
    isDistinct: false,
    says: "two machines seem to use the key of node",
    advice:
      "Its card was copied. It is paid once, whatever both claim. Let one of them join anew: galaxy-pool node join HOST --token …",
  },
  audit_inconsistent: {
    isDistinct: false,
    says: "the audit log does not fit what was signed before:",
    advice:
      "Somebody or something changed the record. Keep a copy of the data folder as it is, then run galaxy-pool audit verify.",
  },
};

/** The sentence for an anomaly. */
export function sentenceOf(rule: AnomalyRule, subject: string, count: number): string {
  const unit = RULES[rule].isDistinct ? "addresses" : "times";
  return `${RULES[rule].says} ${subject}${count > 1 ? ` (${count} ${unit})` : ""}`;
}
