import { headerOf } from "./blocks.ts";
import { validatorsHashOf } from "./digest.ts";
import { alarm } from "./emit.ts";
import type { Executed, Execution } from "./events.ts";
import type { Replica } from "./state.ts";
import type { Header } from "./types.ts";
import type { Verdict } from "./verdict.ts";

/** What headers say of executed heights (§10.4). */

/** Executed heights remembered at most; a header that names an older one is not voted for. */
const EXECUTIONS_MAX = 4_096;

/** The application is there now. */
export function onExecuted(replica: Replica, { height, root, pendingValidators }: Executed): void {
  if (height <= replica.executed.height) return;
  noteExecution(replica, { height, root, pendingValidators });
  checkDivergence(replica, replica.committed.header);
  for (let at = headerOf(replica, replica.durable.highCert.block); at !== null; ) {
    checkDivergence(replica, at);
    at = at.height > replica.committed.header.height ? headerOf(replica, at.parent) : null;
  }
}

/** Remembers what was executed, and who the application wants as validators. */
export function noteExecution(replica: Replica, execution: Execution): void {
  const { executions, committed } = replica;
  replica.executed = execution;
  executions.set(execution.height, execution);
  // Every block above the committed one names its execHeight or a higher one.
  for (const height of executions.keys()) {
    const isOld = height < committed.header.execHeight || executions.size > EXECUTIONS_MAX;
    if (!isOld || height === execution.height) break;
    executions.delete(height);
  }
  const { pendingValidators } = execution;
  if (pendingValidators !== null) noteSet(replica, pendingValidators);
}

/** Sets remembered: those that one epoch may still name. */
const SETS_MAX = 64;

/** Remembers a set by its hash, which is all that a header says of it. */
export function noteSet(
  replica: Replica,
  validators: NonNullable<Execution["pendingValidators"]>,
): void {
  const { sets } = replica;
  const hash = validatorsHashOf(validators);
  replica.version++;
  sets.delete(hash);
  sets.set(hash, validators);
  const [oldest] = sets.keys();
  if (sets.size > SETS_MAX && oldest !== undefined) sets.delete(oldest);
}

/** A certified header with another root than mine at a height I have executed: one of us is wrong. */
export function checkDivergence(replica: Replica, { execHeight, execRoot }: Header): void {
  const mine = replica.executions.get(execHeight);
  if (mine !== undefined && mine.root !== execRoot)
    alarm(replica, "divergence", `a quorum has another root at height ${execHeight}`);
}

/** The execution fields of a proposal (V9). Its parent is certified, so what it repeats is right. */
export function judgeExecution(replica: Replica, header: Header, parent: Header): Verdict {
  const { execHeight, execRoot } = header;
  if (execHeight < parent.execHeight) return "refuse";
  if (execHeight === parent.execHeight) return execRoot === parent.execRoot ? "vote" : "refuse";
  if (execHeight > replica.executed.height || execHeight > replica.committed.header.height)
    return "wait";
  return replica.executions.get(execHeight)?.root === execRoot ? "vote" : "refuse";
}

/** The execution fields of a block of mine: the newest, but not below its parent's. */
export function executionFor(
  { executed, committed }: Replica,
  parent: Header,
): Pick<Header, "execHeight" | "execRoot"> {
  const isNewer = executed.height > parent.execHeight && executed.height <= committed.header.height;
  if (isNewer) return { execHeight: executed.height, execRoot: executed.root };
  return { execHeight: parent.execHeight, execRoot: parent.execRoot };
}
