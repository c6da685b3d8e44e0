import { isRefusal, type PoolError } from "@/std/errors.ts";
import { scrub } from "@/std/scrub.ts";
import { complain as say } from "./journal.ts";

/**
 * What a command ends with (api.md, section 3). A supervisor starts again what ended with
 * `unreachable` or `fault`: that may pass. `refused`, `usage` and `checkFailed` wait for a person.
 */
export const EXIT = {
  done: 0,
  refused: 1,
  usage: 2,
  unreachable: 3,
  checkFailed: 4,
  fault: 70,
} as const;

/** What a person or a journal reads; whatever a fault carries, no secret goes there. */
function complain(text: string): void {
  say(scrub(text));
}

/** The exit code of a refusal. */
export function exitCodeOf(refusal: PoolError): number {
  if (refusal.kind === "invalid" && refusal.code.startsWith("cli.")) return EXIT.usage;
  if (refusal.kind === "internal") return EXIT.fault;
  return refusal.kind === "unavailable" || refusal.kind === "deadline"
    ? EXIT.unreachable
    : EXIT.refused;
}

/** Says a refusal on standard error: what, why and what to do; or the fault of our own it is. */
export function tellRefusal(thrown: unknown, json: boolean): number {
  if (!isRefusal(thrown)) {
    const text = thrown instanceof Error ? (thrown.stack ?? thrown.message) : String(thrown);
    complain(`galaxy-pool: a fault of our own: ${text}`);
    return EXIT.fault;
  }
  if (json) {
    const { code, message, details } = thrown;
    complain(JSON.stringify({ schema_version: 1, error: { code, message, ...details } }));
    return exitCodeOf(thrown);
  }
  complain(`galaxy-pool: ${thrown.message}`);
  for (const { path, message } of thrown.details.errors ?? []) complain(`  ${path} – ${message}`);
  complain(`  code: ${thrown.code}`);
  return exitCodeOf(thrown);
}
