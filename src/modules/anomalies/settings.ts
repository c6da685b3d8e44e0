import type { RuleTerms, Terms } from "@/core/anomaly/rules.ts";
import type { WatchTerms } from "@/core/anomaly/watch.ts";

const SUBJECTS_MAX = 10_000;
const OPEN_MAX = 50;

/** When the rules speak: the section of the configuration. */
export interface AnomalySettings {
  readonly window_seconds: number;
  readonly long_window_seconds: number;
  readonly failed_enrolments: number;
  readonly failed_logins: number;
  readonly denials: number;
  readonly addresses: number;
  readonly claims_behind: number;
  readonly skewed_claims: number;
  readonly doubled_sessions: number;
  readonly node_skew_seconds: number;
  readonly clock_step_seconds: number;
  readonly quiet_seconds: number;
  readonly kept_max: number;
  readonly refusal_rows_per_minute: number;
}

/** What the configuration means to the rules. */
export function watchTermsOf(config: AnomalySettings): WatchTerms {
  const soon = (count: number): RuleTerms => ({ count, windowMs: config.window_seconds * 1000 });
  const long = (count: number): RuleTerms => ({
    count,
    windowMs: config.long_window_seconds * 1000,
  });
  const terms: Terms = {
    enrolments_failing: soon(config.failed_enrolments),
    logins_failing: soon(config.failed_logins),
    denials: soon(config.denials),
    lock_out: soon(1),
    credential_spread: long(config.addresses),
    claims_behind: long(config.claims_behind),
    clock_stepped: long(1),
    node_clock_skewed: long(config.skewed_claims),
    node_doubled: long(config.doubled_sessions),
    audit_inconsistent: long(1),
  };
  const quietMs = config.quiet_seconds * 1000;
  return { terms, quietMs, subjectsMax: SUBJECTS_MAX, openMax: OPEN_MAX };
}
