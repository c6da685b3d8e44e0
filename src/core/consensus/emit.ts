import type { Durable } from "./durable.ts";
import type { AlarmKind } from "./events.ts";
import { type Evidence, offenceIdOf } from "./evidence.ts";
import type { Outgoing } from "./messages.ts";
import type { Decision, SafetyContext } from "./safety-rules.ts";
import type { Replica } from "./state.ts";
import type { PublicKey } from "./types.ts";

/** How the rules say what has to be done. The order of effects is the order of these calls (section 5). */

/** Reports remembered, so that one offence is told once. */
const OFFENCES_MAX = 1_024;

/** What SafetyRules need to know of a replica. */
export function contextOf({ config, committee, me }: Replica): SafetyContext {
  return { chainId: config.chainId, committee, scheme: config.scheme, me };
}

/**
 * Makes a record durable. A lazy one may wait for the next that may not: losing it costs time, not
 * safety. An observer without a record must never get one by accident (§4.1).
 */
export function persist(replica: Replica, durable: Durable, lazy: boolean): void {
  if (durable === replica.durable) return;
  replica.durable = durable;
  if (!replica.isRecorded) return;
  const token = ++replica.lastToken;
  if (!lazy) replica.firmToken = token;
  replica.effects.push({ type: "persist", durable, token, lazy });
}

/** Takes over what SafetyRules granted; null when they refused. */
export function take<Enabled>(
  replica: Replica,
  decision: Decision<Enabled>,
  { lazy }: { readonly lazy: boolean },
): Enabled | null {
  if (decision.type === "refused") return null;
  persist(replica, decision.durable, lazy);
  return decision;
}

/** Sends what proves itself or promises nothing: it may leave at once. */
export function send(replica: Replica, to: "all" | readonly PublicKey[], message: Outgoing): void {
  replica.effects.push({ type: "send", to, message, after: null });
}

/** Sends what I am bound by: not before every record so far is durable (§4.1). */
export function sendWhenDurable(
  replica: Replica,
  to: "all" | readonly PublicKey[],
  message: Outgoing,
): void {
  replica.effects.push({ type: "send", to, message, after: replica.firmToken });
}

/** Tells who reads along. */
export function trace(replica: Replica, what: string): void {
  replica.effects.push({ type: "trace", what, view: replica.view });
}

/** Reports an offence, once. */
export function report(replica: Replica, evidence: Evidence | undefined): void {
  if (evidence === undefined) return;
  const { offences } = replica;
  const id = offenceIdOf(evidence);
  if (offences.has(id)) return;
  if (offences.size >= OFFENCES_MAX) offences.delete(firstOf(offences));
  offences.add(id);
  replica.effects.push({ type: "evidence", evidence });
}

function firstOf(ids: ReadonlySet<string>): string {
  const [first = ""] = ids;
  return first;
}

/** Stops voting, for good: something holds that cannot, or my record is older than what I have said. */
export function alarm(replica: Replica, kind: AlarmKind, why: string): void {
  if (replica.halted !== null) return;
  replica.halted = kind;
  replica.me = null;
  replica.effects.push({ type: "alarm", alarm: kind, why });
}
