import { networkOf } from "@/std/network.ts";
import type { AnomalyRule } from "./rules.ts";

/** Something that happened and that a rule counts. */
export interface Signal {
  readonly rule: AnomalyRule;
  /** Whom it concerns: an address, a caller, a node. */
  readonly subject: string;
  /** What is counted where different ones count. */
  readonly member?: string;
}

/** A refusal as the rules see it. */
export interface Refused {
  readonly kind: string;
  readonly code: string;
  readonly address: string;
  readonly caller?: string;
  /** The route or method. */
  readonly subject?: string;
  readonly skewMs?: number;
}

const ENROLLING = new Set(["enrolment.refused", "renewal.refused"]);
/** Elsewhere, who merely lacks a credential or has one that ended did nothing wrong. */
const SIGNING_IN = /^POST \/api\/v1\/auth\/(?:token|password|session)$/;
/** A node that was suspended or removed goes on asking: that is its nature. */
const OF_NODES = /^(node|certificate|poot)\./;
const LOCKED = /[._](blocked|locked|locked_out)$/;

/** What a refusal means to the rules; most mean nothing. */
export function signalsOf(refused: Refused, skewMaxMs: number): Signal[] {
  const signals: Signal[] = [];
  const rule = ruleOf(refused);
  const from = addressOf(refused.address);
  if (rule === "claims_behind") signals.push({ rule, subject: refused.caller ?? from });
  else if (rule === "denials") signals.push({ rule, subject: refused.caller ?? from });
  else if (rule) signals.push({ rule, subject: from });
  const { caller, skewMs = 0 } = refused;
  const isFar = refused.code === "poot.wait" && Math.abs(skewMs) > skewMaxMs;
  if (isFar && caller) signals.push({ rule: "node_clock_skewed", subject: caller });
  return signals;
}

function ruleOf({ kind, code, subject = "" }: Refused): AnomalyRule | undefined {
  if (code === "poot.behind") return "claims_behind";
  if (LOCKED.test(code)) return "lock_out";
  if (ENROLLING.has(code)) return "enrolments_failing";
  if (OF_NODES.test(code)) return undefined;
  if (kind === "unauthenticated") return SIGNING_IN.test(subject) ? "logins_failing" : undefined;
  return kind === "denied" ? "denials" : undefined;
}

/** A caller was let in from an address. */
export function spreadSignal(caller: string, address: string): Signal {
  return { rule: "credential_spread", subject: caller, member: addressOf(address) };
}

/** What one stranger has; all of this machine's own addresses are one. */
function addressOf(address: string): string {
  const network = networkOf(address);
  return network.startsWith("127.") || network === "0:0:0:0" ? "this machine" : network;
}
