import { LIAR, type Mutant, patch } from "./mutant.ts";

/** A core that has lost one of its ways to find out that somebody lies (section 12): S10 has to see each. */
export const EVIDENCE_MUTANTS: readonly Mutant[] = [
  {
    name: "a second vote is no evidence",
    patches: [
      patch(
        "votes.ts",
        "if (before !== undefined) report(replica, findOffence(before, vote));",
        'if (before !== undefined && vote.kind === "C") report(replica, findOffence(before, vote));',
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "a second commit vote is no evidence",
    patches: [
      patch(
        "votes.ts",
        "if (before !== undefined) report(replica, findOffence(before, vote));",
        'if (before !== undefined && vote.kind === "P") report(replica, findOffence(before, vote));',
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "a second proposal is no evidence",
    patches: [
      patch(
        "replica.ts",
        "report(replica, findDoubleProposal(proposedBy(first), proposedBy(second)));",
        "void [report, findDoubleProposal];",
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "a vote below the lock is no evidence",
    patches: [
      patch(
        "votes.ts",
        "if (other !== undefined) report(replica, findOffence(other, vote));",
        'if (other?.kind === "P") report(replica, findOffence(other, vote));',
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "a commit vote below a higher vote is no evidence",
    patches: [
      patch(
        "votes.ts",
        "if (other !== undefined) report(replica, findOffence(other, vote));",
        'if (other?.kind === "C") report(replica, findOffence(other, vote));',
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "the votes in a certificate are no evidence",
    patches: [
      patch(
        "certified.ts",
        "if (!before || !isSameSigners(before, cert)) compareWithVotes(replica, cert);",
        "void [compareWithVotes, isSameSigners];",
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "the votes in a certificate are no evidence of an ignored lock",
    patches: [patch("certified.ts", "if (isBetween) found", "if (isBetween && view < 0) found")],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "commit votes of left views are forgotten",
    patches: [
      patch(
        "views.ts",
        "forgetBelow(commitVotes, view - VIEWS_KEPT);",
        "forgetBelow(commitVotes, view);",
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "prepare votes of left views are forgotten",
    patches: [
      patch(
        "views.ts",
        "forgetBelow(votes, view - PREPARE_VIEWS_KEPT);",
        "forgetBelow(votes, view);",
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "proposals of left views are forgotten",
    patches: [
      patch(
        "views.ts",
        "forgetBelow(proposals, view - PREPARE_VIEWS_KEPT);",
        "forgetBelow(proposals, view);",
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "a signer is accused once only",
    patches: [
      patch(
        "emit.ts",
        "const id = offenceIdOf(evidence);",
        "const id = offenceIdOf({ ...evidence, first: { ...evidence.first, view: 0 } } as Evidence);",
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "the votes in a second certificate are no evidence",
    patches: [
      patch(
        "certified.ts",
        "if (!before || !isSameSigners(before, cert)) compareWithVotes(replica, cert);",
        "if (!before) compareWithVotes(replica, cert); else void isSameSigners;",
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "the votes in an earlier certificate are no evidence",
    patches: [
      patch("votes.ts", "  compareWithCerts(replica, vote);\n", "  void compareWithCerts;\n"),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
  {
    name: "proposals of left views are not compared",
    patches: [
      patch(
        "replica.ts",
        "header.view >= view - PREPARE_VIEWS_KEPT",
        "header.view >= view + 0 * PREPARE_VIEWS_KEPT",
      ),
    ],
    fixed: LIAR,
    seeds: 2_000,
    check: "S10",
  },
];
