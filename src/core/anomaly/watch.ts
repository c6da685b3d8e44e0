import { type AnomalyRule, RULES, type Terms } from "./rules.ts";
import type { Signal } from "./signal.ts";

/** What the watch is told once. */
export interface WatchTerms {
  readonly terms: Terms;
  /** For how long an acknowledged anomaly stays quiet, whatever comes. */
  readonly quietMs: number;
  /** Subjects counted at once; beyond it the one counted longest ago is forgotten. */
  readonly subjectsMax: number;
  /** Open anomalies of one rule; what comes beyond is counted under one subject. */
  readonly openMax: number;
}

/** What is counted of one subject: moments, or members with the moment each was seen last. */
interface Counter {
  readonly moments: number[];
  readonly members: Map<string, number>;
}

/** What the rules remember. It is changed in place, and bounded; time is monotonic. */
export interface Watch extends WatchTerms {
  readonly counters: Map<string, Counter>;
  readonly open: Map<AnomalyRule, Set<string>>;
  readonly quietUntilMs: Map<string, number>;
}

/** What a signal came to. */
export interface Verdict {
  /** Nothing yet, a new anomaly, one that goes on, or one that is known and acknowledged. */
  readonly type: "counted" | "raised" | "again" | "quiet";
  /** Whom it concerns: the signal's subject, or `OTHERS`. */
  readonly subject: string;
  /** How many signals or members it stands for. */
  readonly count: number;
}

/** The subject of what comes when a rule has too many open anomalies. */
export const OTHERS = "many others";
/** Members remembered of one subject: more say nothing more. */
const MEMBERS_MAX = 100;

/** A watch that has seen nothing. */
export function newWatch(terms: WatchTerms): Watch {
  return { ...terms, counters: new Map(), open: new Map(), quietUntilMs: new Map() };
}

/** An anomaly that was open before: it goes on where it comes again. Changes the watch. */
export function reopen(watch: Watch, rule: AnomalyRule, subject: string): void {
  openOf(watch, rule).add(subject);
}

/** Somebody has seen it: the same is not raised again for a while, and then counted anew. */
export function acknowledge(watch: Watch, signal: Signal, nowMs: number): void {
  const { rule, subject } = signal;
  const key = keyOf(rule, subject);
  openOf(watch, rule).delete(subject);
  watch.counters.delete(key);
  remember(watch.quietUntilMs, { key, value: nowMs + watch.quietMs, max: watch.subjectsMax });
}

/** Counts a signal. Changes the watch. */
export function notice(watch: Watch, signal: Signal, nowMs: number): Verdict {
  const { rule, subject } = signal;
  const key = keyOf(rule, subject);
  if ((watch.quietUntilMs.get(key) ?? 0) > nowMs) return { type: "quiet", subject, count: 0 };
  const { isNew, count } = counted(watch, signal, nowMs);
  if (openOf(watch, rule).has(subject)) {
    return { type: isNew ? "again" : "counted", subject, count: 1 };
  }
  if (count < watch.terms[rule].count) return { type: "counted", subject, count };
  if (!RULES[rule].isDistinct) watch.counters.delete(key);
  return raise(watch, signal, { count, nowMs });
}

function raise(
  watch: Watch,
  { rule, subject }: Signal,
  { count, nowMs }: { readonly count: number; readonly nowMs: number },
): Verdict {
  const open = openOf(watch, rule);
  if (open.size < watch.openMax) {
    open.add(subject);
    return { type: "raised", subject, count };
  }
  const isQuiet = (watch.quietUntilMs.get(keyOf(rule, OTHERS)) ?? 0) > nowMs;
  if (isQuiet) return { type: "quiet", subject: OTHERS, count: 0 };
  const type = open.has(OTHERS) ? "again" : "raised";
  open.add(OTHERS);
  return { type, subject: OTHERS, count: 1 };
}

/** How many signals or members the window holds now, and whether this one adds to them. */
function counted(watch: Watch, signal: Signal, nowMs: number) {
  const { rule, subject, member } = signal;
  const { windowMs, count: enough } = watch.terms[rule];
  const key = keyOf(rule, subject);
  const { moments, members } = watch.counters.get(key) ?? { moments: [], members: new Map() };
  const isRecent = (atMs: number): boolean => nowMs - atMs < windowMs;
  if (RULES[rule].isDistinct) {
    for (const [name, atMs] of members) if (!isRecent(atMs)) members.delete(name);
    const isNew = !members.has(member ?? "");
    remember(members, { key: member ?? "", value: nowMs, max: MEMBERS_MAX });
    remember(watch.counters, { key, value: { moments, members }, max: watch.subjectsMax });
    return { isNew, count: members.size };
  }
  const recent = [...moments.filter(isRecent), nowMs].slice(-enough);
  remember(watch.counters, { key, value: { moments: recent, members }, max: watch.subjectsMax });
  return { isNew: true, count: recent.length };
}

function openOf(watch: Watch, rule: AnomalyRule): Set<string> {
  const known = watch.open.get(rule);
  if (known) return known;
  const fresh = new Set<string>();
  watch.open.set(rule, fresh);
  return fresh;
}

function keyOf(rule: AnomalyRule, subject: string): string {
  return `${rule} ${subject}`;
}

/** The newest stands last, so that the first is the one to forget. */
function remember<T>(
  map: Map<string, T>,
  { key, value, max }: { readonly key: string; readonly value: T; readonly max: number },
): void {
  map.delete(key);
  const [oldest] = map.keys();
  if (oldest !== undefined && map.size >= max) map.delete(oldest);
  map.set(key, value);
}
