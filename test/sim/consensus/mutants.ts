import { LIAR, type Mutant, N4, patch } from "./mutant.ts";
import { EVIDENCE_MUTANTS } from "./mutants-evidence.ts";

/** Asserts of the rules about their own result: a bug must not be caught by them alone. */
const NO_FOLLOW = patch(
  "safety-rules.ts",
  'assert(isSound(after) && mayFollow(before, after), "a record follows from the one before");',
  "void [isSound, mayFollow, before];",
);

/** The seeded bugs of hotstuff2-testing.md, sections 2 and 5. */
export const MUTANTS: readonly Mutant[] = [
  {
    name: "drop V6",
    patches: [
      patch(
        "safety-rules.ts",
        "header.view > durable.lastVotedView,",
        "header.view > 0 || durable === null,",
      ),
      patch(
        "replica.ts",
        "durable.lastVotedView >= view || !proposal",
        "durable.lastVote?.block === proposal?.first.block.hash || !proposal",
      ),
      patch(
        "replica.ts",
        "first.block.hash === hash && !isWhole(first) && isWhole(second)",
        "first.block.hash !== hash && isWhole(second)",
      ),
      NO_FOLLOW,
    ],
    fixed: { ...LIAR, tricks: ["equivocate"] },
    seeds: 200,
  },
  {
    name: "drop V7",
    patches: [
      patch(
        "safety-rules.ts",
        "compareRank(justify, durable.lock) >= 0,",
        "compareRank(justify, durable.lock) > -9e9,",
      ),
      patch(
        "replica.ts",
        'if (compareRank(justify, replica.durable.lock) < 0) return "refuse"; // V7',
        "void compareRank;",
      ),
    ],
    fixed: N4,
    seeds: 2_000,
  },
  {
    name: "> for >= in V7",
    patches: [
      patch(
        "safety-rules.ts",
        "compareRank(justify, durable.lock) >= 0,",
        "compareRank(justify, durable.lock) > 0,",
      ),
    ],
    fixed: N4,
    seeds: 200,
  },
  {
    name: "lock by votes only",
    patches: [
      patch("safety-rules.ts", "    lock: cert,\n", ""),
      patch(
        "safety-rules.ts",
        'assert(compareRank(cert, durable.lock) > 0, "a commit vote goes above the lock");',
        "",
      ),
      NO_FOLLOW,
    ],
    fixed: N4,
    seeds: 200,
  },
  {
    name: "commit on C_v",
    patches: [
      patch(
        "views.ts",
        'if (cert.kind === "C") noteCommit(replica, cert);',
        "noteCommit(replica, cert);",
      ),
      patch("safety-rules.ts", 'if (cert.kind !== "C") return refuse("wrong_kind");', ""),
      patch(
        "safety-rules.ts",
        'return cert.kind === "C" && cert.epoch === durable.epoch',
        "return cert.epoch === durable.epoch",
      ),
      NO_FOLLOW,
    ],
    fixed: N4,
    seeds: 200,
  },
  {
    name: "commit-vote for a left view",
    patches: [
      patch("safety-rules.ts", "cert.view >= view],", "cert.view >= 0 * view],"),
      patch(
        "safety-rules.ts",
        "cert.view >= durable.lastVotedView],",
        "cert.view >= 0 * durable.lastVotedView],",
      ),
      patch(
        "safety-rules.ts",
        'assert(compareRank(cert, durable.lock) > 0, "a commit vote goes above the lock");',
        "",
      ),
      patch(
        "safety-rules.ts",
        "    lock: cert,\n    highCert: higherOf(durable.highCert, cert),",
        "    lock: higherOf(durable.lock, cert),\n    highCert: higherOf(durable.highCert, cert),",
      ),
      patch(
        "views.ts",
        'cert.kind === "P" && cert.view >= replica.view && castCommitVote',
        'cert.kind === "P" && castCommitVote',
      ),
      NO_FOLLOW,
    ],
    fixed: N4,
    seeds: 2_000,
  },
  {
    name: "lock by late certificates",
    patches: [
      patch(
        "safety-rules.ts",
        "return grant(durable, { ...durable, highCert: higherOf(durable.highCert, cert) }, {});",
        "return grant(durable, { ...durable, highCert: higherOf(durable.highCert, cert), lock: higherOf(durable.lock, cert) }, {});",
      ),
    ],
    story: "regression-late-certificate",
  },
  { name: "no fsync", bugs: { disk: { lies: true } }, fixed: N4, seeds: 200 },
  { name: "send before fsync", bugs: { sendsBeforeSync: true }, fixed: N4, seeds: 200 },
  {
    name: "own vote counted before its fsync",
    bugs: { hearsItselfEarly: true },
    fixed: N4,
    seeds: 200,
  },
  {
    name: "lastVotedView not restored",
    patches: [
      patch(
        "recovery.ts",
        "durable: durable ?? genesisDurable(committee),",
        "durable: durable ? { ...durable, lastVotedView: 0, lastVote: null } : genesisDurable(committee),",
      ),
    ],
    fixed: N4,
    seeds: 2_000,
  },
  {
    name: "view restored without TC",
    patches: [patch("recovery.ts", "highTC?.view ?? 0, ", "0 * (highTC?.view ?? 0), ")],
    story: "regression-restart-below-a-timeout",
  },
  {
    name: "view restored from highCert only",
    patches: [
      patch(
        "recovery.ts",
        "return Math.max(highCert.view + 1, highTC?.view ?? 0, lastVotedView, lastCommitVotedView, 1);",
        "return Math.max(highCert.view + 1, 0 * ((highTC?.view ?? 0) + lastVotedView + lastCommitVotedView));",
      ),
    ],
    fixed: N4,
    seeds: 500,
  },
  {
    name: "quorum Q - 1",
    patches: [
      patch(
        "quorum.ts",
        "return Math.floor((n + faultsOf(n)) / 2) + 1;",
        "return Math.max(1, Math.floor((n + faultsOf(n)) / 2));",
      ),
    ],
    fixed: N4,
    seeds: 200,
  },
  {
    name: "duplicate signer counted in a TC",
    patches: [
      patch(
        "certificates.ts",
        "entries.every(({ signer }, at) => signer > (entries[at - 1]?.signer ?? -1)) &&",
        "",
      ),
    ],
    fixed: { ...LIAR, tricks: ["mixed_timeouts"] },
    seeds: 200,
  },
  {
    name: "bitmap not checked",
    patches: [
      patch("certificates.ts", "popcount(bitmap) === sigs.length &&", "popcount(bitmap) >= 0 &&"),
    ],
    fixed: { ...LIAR, tricks: ["forge_certificates"] },
    seeds: 200,
  },
  {
    name: "justify.block is not the parent",
    patches: [
      patch(
        "safety-rules.ts",
        "header.parent === justify.block],",
        "header.parent.length === justify.block.length],",
      ),
      patch(
        "replica.ts",
        "return block.header.parent === justify.block && hasItsPayload(block);",
        "return justify !== null && hasItsPayload(block);",
      ),
    ],
    story: "regression-parent-without-certificate",
  },
  {
    name: "height not checked",
    patches: [
      patch(
        "safety-rules.ts",
        "header.height === justify.height + 1],",
        "header.height > 0 * justify.height],",
      ),
    ],
    story: "regression-justify-left-out",
  },
  {
    name: "second proposal accepted",
    patches: [
      patch(
        "replica.ts",
        "first.block.hash === hash && !isWhole(first) && isWhole(second)",
        "first.block.hash !== hash && isWhole(second)",
      ),
      patch(
        "safety-rules.ts",
        "header.view > durable.lastVotedView,",
        "header.view >= durable.lastVotedView,",
      ),
      patch(
        "replica.ts",
        "durable.lastVotedView >= view || !proposal",
        "durable.lastVote?.block === proposal?.first.block.hash || !proposal",
      ),
      NO_FOLLOW,
    ],
    fixed: N4,
    seeds: 200,
  },
  {
    name: "TC with Q - 1",
    patches: [
      patch(
        "certificates.ts",
        "entries.length >= quorumOf(n) &&",
        "entries.length >= quorumOf(n) - 1 &&",
      ),
      patch(
        "pacemaker.ts",
        "quorum: views[quorumOf(n) - 1] ?? 0",
        "quorum: views[Math.max(0, quorumOf(n) - 2)] ?? 0",
      ),
    ],
    fixed: N4,
    seeds: 200,
  },
  {
    name: "amplification at f",
    patches: [
      patch(
        "pacemaker.ts",
        "some: views[faultsOf(n)] ?? 0",
        "some: views[Math.max(0, faultsOf(n) - 1)] ?? 0",
      ),
    ],
    fixed: N4,
    seeds: 300,
  },
  {
    name: "wish resend removed",
    patches: [
      patch(
        "resend.ts",
        '  if (proposal) sendWhenDurable(replica, "all", proposal);\n  sendWish(replica);',
        '  if (proposal) sendWhenDurable(replica, "all", proposal);\n  void sendWish;',
      ),
    ],
    story: "regression-lost-wishes",
  },
  {
    name: "rescue removed",
    patches: [
      patch(
        "rescue.ts",
        "const isBehind = view < replica.view || commitView < commitCert.view;",
        "const isBehind = view + commitView < 0;",
      ),
    ],
    story: "08-commit-votes-lost-to-one",
  },
  {
    name: "leader does not wait",
    patches: [
      patch(
        "leader.ts",
        "durable.highCert.view === view - 1 ||",
        "durable.highCert.view >= 0 * view ||",
      ),
    ],
    fixed: { ...LIAR, tricks: ["prepare_to_one"] },
    seeds: 2_000,
    check: "L3",
  },
  {
    name: "timeout certificate not passed on",
    patches: [patch("views.ts", "  passOn(replica, tc);\n", "  void passOn;\n")],
    fixed: N4,
    seeds: 500,
    check: "L2",
  },
  {
    name: "leader waits for Q only",
    patches: [
      patch(
        "leader.ts",
        "heard === committee.validators.length - 1",
        "heard >= Math.ceil((2 * committee.validators.length) / 3) - 1",
      ),
    ],
    story: "13-lock-holder-not-heard",
  },
  {
    name: "empty blocks while idle",
    patches: [
      patch("leader.ts", 'if (replica.status === "idle") return;', ""),
      patch("leader.ts", "if (!isWanted) return;", "void isWanted;"),
    ],
    fixed: N4,
    seeds: 20,
  },
  {
    name: "empty blocks whenever there is a root",
    patches: [
      patch(
        "work.ts",
        "replica.hasWork ||",
        "replica.hasWork || replica.executed.height > replica.committed.header.execHeight ||",
      ),
      patch(
        "leader.ts",
        "const isWanted = hasContent ||",
        "const isWanted = replica.executed.height > parent.execHeight || hasContent ||",
      ),
    ],
    fixed: N4,
    seeds: 20,
  },
  {
    name: "epoch not in the digest",
    patches: [
      patch("symbolic-signatures.ts", "    a.epoch === b.epoch &&\n    a.view", "    a.view"),
    ],
    fixed: { ...LIAR, epochChanges: 3, tricks: ["vote_in_names_of_others"] },
    seeds: 500,
  },
  {
    name: "one digest for P and C",
    patches: [patch("symbolic-signatures.ts", "    a.kind === b.kind &&\n", "")],
    fixed: { ...LIAR, tricks: ["forge_certificates"] },
    seeds: 100,
  },
  {
    name: "timestamp not checked",
    patches: [
      patch("timestamps.ts", 'if (timestampMs <= parent.timestampMs) return "refuse";', ""),
      patch("timestamps.ts", 'return "wait";', 'return "vote";'),
    ],
    fixed: { ...LIAR, skewMs: 0, tricks: ["future_timestamp"] },
    seeds: 100,
  },
  {
    name: "messages believed without signatures",
    bugs: { believesAll: true },
    fixed: { ...LIAR, tricks: ["vote_in_names_of_others"] },
    seeds: 100,
  },
  {
    name: "newest frame taken without CRC",
    bugs: { disk: { takesAnyFrame: true } },
    fixed: {
      n: 4,
      parts: ["rotten", "honest", "honest", "honest"],
      crashes: 8,
      crashChance: 0.02,
      healMs: 10_000,
    },
    seeds: 1_000,
  },
  {
    name: "evidence across epochs",
    patches: [patch("evidence.ts", "first.epoch === second.epoch && ", "")],
    rule: "evidence is of one epoch",
  },
  {
    name: "evidence without a look at the signatures",
    patches: [
      patch(
        "evidence.ts",
        "scheme.verify(committee, evidence.first) &&\n    scheme.verify(committee, evidence.second)",
        "scheme !== null && committee !== null",
      ),
    ],
    rule: "evidence is signed",
  },
  {
    name: "the parent is compared outside SafetyRules only",
    patches: [
      patch(
        "safety-rules.ts",
        "header.parent === justify.block],",
        "header.parent.length === justify.block.length],",
      ),
    ],
    rule: "safety rules compare the parent",
  },
  {
    name: "transactions judged by the local clock",
    bugs: { app: { readsClock: true } },
    fixed: { ...N4, skewMs: 3_600_000 },
    seeds: 200,
    check: "S9",
  },
  {
    name: "transactions judged by the local clock, in a story",
    bugs: { app: { readsClock: true } },
    story: "16-expired-transactions",
  },
  {
    name: "executed transactions forgotten",
    bugs: { app: { forgetsExecuted: true } },
    fixed: N4,
    seeds: 200,
    check: "S9",
  },
  {
    name: "executed transactions forgotten, in a story",
    bugs: { app: { forgetsExecuted: true } },
    story: "16-expired-transactions",
  },
  {
    name: "highCert not raised by Cert(C)",
    patches: [
      patch(
        "safety-rules.ts",
        "return grant(durable, { ...durable, commitCert, highCert: higherOf(durable.highCert, cert) }, {});",
        "return grant(durable, { ...durable, commitCert }, {});",
      ),
      patch(
        "views.ts",
        "if (!isBinding) raiseHighCert(replica, cert);",
        'if (!isBinding && cert.kind === "P") raiseHighCert(replica, cert);',
      ),
      NO_FOLLOW,
    ],
    fixed: N4,
    seeds: 500,
  },
  {
    name: "a stale Cert(C) raises an alarm",
    patches: [
      patch(
        "commit.ts",
        "if (known !== undefined && known !== cert.block)",
        "if (known === undefined || known !== cert.block || cert.block !== committed.hash)",
      ),
    ],
    fixed: N4,
    seeds: 100,
  },
  {
    name: "commit leaves a height out",
    patches: [
      patch(
        "commit.ts",
        'replica.effects.push({ type: "commit", blocks, cert });',
        'replica.effects.push({ type: "commit", blocks: blocks.slice(-1), cert });',
      ),
    ],
    fixed: N4,
    seeds: 500,
  },
  {
    name: "leader proposes again after a restart",
    patches: [
      patch(
        "safety-rules.ts",
        'if (view <= durable.lastProposedView) return refuse("already_proposed");',
        "",
      ),
      patch(
        "leader.ts",
        "if (!isLeading(replica) || durable.lastProposedView >= view || isCatchingUp) return;",
        "if (!isLeading(replica) || replica.proposal?.block.header.view === view || isCatchingUp) return;",
      ),
      patch(
        "proposing.ts",
        "if (block === undefined || lastProposedView !== view || block.hash !== lastProposal) return;",
        "if (block === undefined || lastProposedView !== view || block.hash === lastProposal) return;",
      ),
      NO_FOLLOW,
    ],
    fixed: { n: 4, crashes: 8, crashChance: 0.02 },
    seeds: 500,
  },
  {
    name: "votes for far views are kept",
    patches: [
      patch(
        "votes.ts",
        "if (vote.view > view + 2 * committee.validators.length) return false;",
        "",
      ),
    ],
    fixed: { ...LIAR, tricks: ["flood"] },
    seeds: 100,
  },
  {
    name: "amnesia not noticed",
    patches: [
      patch(
        "certified.ts",
        "if (isForgotten(replica.durable, said))",
        "if (isForgotten(replica.durable, said) && false)",
      ),
    ],
    story: "03-wiped-node",
  },
  {
    name: "closing not checked",
    patches: [patch("epoch-end.ts", 'if (header.closing !== closing) return "refuse";', "")],
    fixed: { ...LIAR, epochChanges: 3, tricks: ["final_block_unasked"] },
    seeds: 1_000,
  },
  {
    name: "an epoch-final block is not checked",
    patches: [
      patch(
        "epoch-end.ts",
        'return nextSetAt(replica, header.execHeight) === header.nextValidatorsHash ? "vote" : "refuse";',
        'return "vote";',
      ),
    ],
    fixed: { ...LIAR, tricks: ["final_block_unasked"] },
    seeds: 200,
  },
  {
    name: "the body of a proposal is not compared with its header",
    patches: [
      patch("replica.ts", " && hasItsPayload(block);", ";"),
      patch(
        "replica.ts",
        "if (hasItsPayload(block)) addBlock(replica, block);",
        "addBlock(replica, block);",
      ),
      patch(
        "certified.ts",
        "block?.hash === cert.block && hasItsPayload(block)",
        "block?.hash === cert.block",
      ),
    ],
    fixed: { ...LIAR, tricks: ["exchange_body"] },
    seeds: 200,
  },
  {
    name: "a private proposal is work for ever",
    patches: [
      patch("work.ts", "timedOut === view && resends > 0", "timedOut === view && resends < 0"),
    ],
    story: "regression-private-proposal-of-nothing",
  },
  {
    name: "the wish of a liar counts for ever",
    patches: [
      patch(
        "work.ts",
        "now - calledAt <= 2 * config.resendMsMax",
        "now - calledAt <= 9e15 * config.resendMsMax",
      ),
    ],
    story: "regression-lone-wish-with-a-liar",
  },
  {
    name: "txs of a lost block are not given back",
    patches: [
      patch(
        "pruning.ts",
        'if (block.header.txCount > 0) replica.effects.push({ type: "readmit", block });',
        "void [replica, block];",
      ),
    ],
    story: "09-private-proposals",
  },
  ...EVIDENCE_MUTANTS,
];
