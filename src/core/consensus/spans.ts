import { faultsOf, leaderOf } from "./quorum.ts";
import type { Replica } from "./state.ts";
import type { Ms, PublicKey, View } from "./types.ts";

/** Which views are synchronised, and how long things take (§7.1, §7.4). */

/** How much longer each failed view lasts, after the first two. */
const SLOWER = 1.5;

/** A sync view is entered by a certificate of the view before or by a timeout certificate (§7.1). */
export function isSyncView({ config }: Replica, view: View): boolean {
  return (view - 1) % config.syncPeriod === 0;
}

/** The first sync view above a view. */
export function nextSyncView({ config }: Replica, view: View): View {
  const { syncPeriod } = config;
  return Math.ceil(view / syncPeriod) * syncPeriod + 1;
}

function slowdownOf({ fails }: Replica): number {
  return SLOWER ** Math.max(0, fails - 2);
}

/** τ: how long a view may last (§7.4). */
export function timeoutOf(replica: Replica): Ms {
  const { timeoutMs, timeoutMsMax } = replica.config;
  return Math.min(timeoutMsMax, timeoutMs * slowdownOf(replica));
}

/** P_pc + Δ: until then the locks of all honest replicas have arrived (§6.3). */
export function leaderWaitOf(replica: Replica): Ms {
  const { config, committee } = replica;
  const skews = committee.validators.length <= config.commitFanoutMax ? 1 : 2;
  const longest = (config.timeoutMsMax * config.deltaMs) / config.timeoutMs;
  return (skews + 1) * Math.min(config.deltaMs * slowdownOf(replica), longest);
}

/** When the present view times out: all views of a span have their place in it (§7.3). */
export function viewEndOf(replica: Replica): Ms {
  const { span, view } = replica;
  return span.at + (view - span.view + 1) * timeoutOf(replica);
}

/** Begins to measure the present span, as if its views before the present one had timed out. */
export function measureSpan(replica: Replica): void {
  const { config, view, now } = replica;
  const first = view - ((view - 1) % config.syncPeriod);
  replica.span = { view: first, at: now - (view - first) * timeoutOf(replica) };
}

/** The leaders of the span that starts at a view: f + 1, so one at least is honest (§7.3). */
export function spanLeaders({ committee }: Replica, view: View): readonly PublicKey[] {
  const n = committee.validators.length;
  const count = Math.min(n, faultsOf(n) + 1);
  return Array.from(
    { length: count },
    (_, at) => committee.validators[leaderOf(committee, view + at)] as PublicKey,
  );
}
