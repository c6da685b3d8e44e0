import { assert } from "@/std/assert.ts";
import type { Config } from "./config.ts";
import { hashHeader } from "./digest.ts";
import { type Durable, genesisDurable } from "./durable.ts";
import type { Boot } from "./events.ts";
import { noteExecution } from "./execution.ts";
import { recoverProposal } from "./proposing.ts";
import { indexOf } from "./quorum.ts";
import { sendStatus } from "./rescue.ts";
import { resendAll } from "./resend.ts";
import type { Replica } from "./state.ts";
import { arm } from "./timers.ts";
import type { Cert, Ms } from "./types.ts";
import { enter } from "./views.ts";

/** Starting, for the first time or after a crash (§8.2): the order matters. */

/** The replica that a disk holds, in the highest view its record has been in. */
export function boot(event: Boot & { readonly now: Ms }, config: Config): Replica {
  const replica = newReplica(event, config);
  const { durable } = replica;
  const commit = highestCommit(durable);
  if (commit.height > event.committed.height) replica.uncommitted = commit;
  for (const block of event.blocks)
    if (block.header.height > event.committed.height)
      replica.blocks.set(block.hash, { block, isRooted: false, isStored: true });
  for (const { block } of replica.blocks.values()) replica.blockBytes += block.header.payloadBytes;
  for (const execution of [...event.executedBefore, event.executed])
    noteExecution(replica, execution);
  enter(replica, viewAfter(durable), { how: "boot" });
  recoverProposal(
    replica,
    event.blocks.find(({ hash }) => hash === durable.lastProposal),
  );
  resendAll(replica);
  sendStatus(replica, "all");
  arm(replica, "status", event.now + config.statusIntervalMs);
  return replica;
}

/** The record may hold a commit certificate whose blocks were not all here before the crash. */
function highestCommit({ highCert, commitCert }: Durable): Cert {
  return highCert.kind === "C" ? highCert : commitCert;
}

/** Below this view the record has promised things already; a timeout certificate counts too. */
function viewAfter(durable: Durable): number {
  const { highCert, highTC, lastVotedView, lastCommitVotedView } = durable;
  return Math.max(highCert.view + 1, highTC?.view ?? 0, lastVotedView, lastCommitVotedView, 1);
}

function newReplica(
  { durable, committee, committed, executed, now }: Boot & { now: Ms },
  config: Config,
): Replica {
  assert((durable?.epoch ?? committee.epoch) === committee.epoch, "a record is of its committee");
  const isVoter = config.role === "validator" && durable !== null;
  return {
    config,
    now,
    steps: 0,
    effects: [],
    committee,
    durable: durable ?? genesisDurable(committee),
    isRecorded: durable !== null,
    me: isVoter ? indexOf(committee, config.me) : null,
    halted: null,
    lastToken: 0,
    firmToken: null,
    view: 0,
    enteredBy: "boot",
    entry: null,
    fails: 0,
    span: { view: 0, at: now },
    status: "idle",
    timers: new Map(),
    generation: 0,
    timedOut: null,
    greeted: 0,
    greetedAgain: 0,
    resendAt: now,
    resends: 0,
    failedLeads: 0,
    votes: new Map(),
    commitVotes: new Map(),
    certs: new Map(),
    proposals: new Map(),
    heldUntil: null,
    wishes: new Map(),
    wished: { some: 0, quorum: 0 },
    calledAt: 0,
    newViews: new Map(),
    lead: null,
    proposal: null,
    committed: { hash: hashHeader(committed), header: committed },
    history: new Map([[committed.height, hashHeader(committed)]]),
    uncommitted: null,
    stuck: null,
    version: 0,
    blocks: new Map(),
    blockBytes: 0,
    blocksBound: 0,
    links: new Map(),
    fetching: new Map(),
    isCatchingUp: false,
    executed,
    executions: new Map(),
    sets: new Map(),
    hasWork: false,
    isClockHealthy: true,
    answered: new Map(),
    offences: new Set(),
  };
}
