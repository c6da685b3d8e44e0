import { EMPTY_PAYLOAD, genesisBlock, newBlock, sumUp } from "@/core/consensus/block.ts";
import { genesisCert } from "@/core/consensus/certificates.ts";
import { genesisDurable } from "@/core/consensus/durable.ts";
import { newCommittee } from "@/core/consensus/quorum.ts";
import { type Hash, NO_HASH, type PublicKey, type Vote } from "@/core/consensus/types.ts";
import type { Core } from "./core.ts";

/** Rules of the core that no run shows to be missing, as something else holds too: asked by themselves. */
export const RULES = {
  /** Votes of two epochs in one view are no offence (section 12). */
  "evidence is of one epoch": (core: Core): boolean => {
    const pen = core.newBook().signer(KEY);
    return core.findOffence(voteOf(pen, 1, 1), voteOf(pen, 2, 2)) === undefined;
  },
  /** Two votes prove nothing without both signatures. */
  "evidence is signed": (core: Core): boolean => {
    const book = core.newBook();
    const pen = book.signer(KEY);
    const [first, second] = [voteOf(pen, 1, 1), voteOf(pen, 1, 2)];
    const forged = { ...second, sig: first.sig };
    const proves = (other: Vote): boolean =>
      core.provesOffence(book, COMMITTEE, { type: "double_vote", first, second: other });
    return proves(second) && !proves(forged);
  },
  /** SafetyRules ask for the parent themselves, whatever was looked at before (V2). */
  "safety rules compare the parent": (core: Core): boolean => {
    const justify = genesisCert(COMMITTEE, "P");
    const asked = (parent: Hash): string => {
      const { header } = newBlock({ ...GENESIS.header, ...ABOVE, parent }, EMPTY_PAYLOAD);
      const scheme = core.newBook();
      const context = { chainId: NO_HASH, committee: COMMITTEE, me: 0, scheme };
      const durable = genesisDurable(COMMITTEE);
      return core.prepareVote(context, durable, { view: 1, header, justify }).type;
    };
    return asked(GENESIS.hash) !== "refused" && asked("ab".repeat(32) as Hash) === "refused";
  },
} as const satisfies Record<string, (core: Core) => boolean>;

/** The name of a rule. */
export type RuleName = keyof typeof RULES;

const KEY = "01".repeat(32) as PublicKey;
const GENESIS = genesisBlock({
  chainId: NO_HASH,
  validators: [KEY],
  timestampMs: 0,
  execRoot: NO_HASH,
});
const COMMITTEE = newCommittee({
  epoch: 1,
  validators: [KEY],
  genesis: GENESIS.hash,
  genesisHeight: 0,
});
const ABOVE = {
  epoch: 1,
  view: 1,
  height: 1,
  timestampMs: 1,
  nextValidatorsHash: null,
  ...sumUp(EMPTY_PAYLOAD),
} as const;

function voteOf(pen: ReturnType<ReturnType<Core["newBook"]>["signer"]>, epoch: number, at: number) {
  const said = {
    type: "vote",
    kind: "P",
    epoch,
    view: 1,
    height: 1,
    justifyView: 0,
    block: `0${at}`.repeat(32) as Hash,
  } as const;
  return { ...said, signer: 0, sig: pen.sign(said) } satisfies Vote;
}
