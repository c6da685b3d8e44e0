import { type DestinationStream, type Logger, pino } from "pino";
import type { Configuration } from "@/kernel/config.ts";
import { PoolError } from "@/std/errors.ts";
import { scrub, spellings } from "@/std/scrub.ts";
import { isJournal, PRIORITY, withPriority } from "./journal.ts";

/** Lines that wait for a full disk; beyond that new ones are lost. */
const PENDING_BYTES_MAX = 1_048_576;
const LEVEL_NAMES: Readonly<Record<number, string>> = {
  10: "TRACE",
  20: "DEBUG",
  30: "INFO",
  40: "WARN",
  50: "ERROR",
  60: "FATAL",
};

/** Fields that are hidden as such, wherever they stand; what is in texts is scrubbed after it. */
const SECRET_FIELDS = [
  "token",
  "secret",
  "password",
  "authorization",
  "cookie",
  "privateKey",
  "privateKeyPem",
  "refreshToken",
  "seed",
];
const REDACTED = ["", "*.", "*.*."].flatMap((depth) =>
  SECRET_FIELDS.map((name) => `${depth}${name}`),
);

/** Where a log goes that is not kept in a file. */
const STANDARD = { output: 1, error: 2 } as const;

/**
 * The log as configured: JSON lines, or text for people, to a file or to standard output; to standard
 * error for commands whose output is an answer.
 */
export function openLog(
  configuration: Configuration,
  standard: keyof typeof STANDARD = "output",
): Logger {
  const level = String(configuration.value("logging.level")).toLowerCase();
  const file = String(configuration.value("logging.file") ?? "");
  const descriptor = STANDARD[standard];
  const target = openTarget(file, descriptor);
  const known = secretsOf(configuration);
  const forms = [
    (line: string) => scrub(line, known),
    ...(configuration.value("logging.format") === "text" ? [asText] : []),
    ...(file === "" && isJournal(descriptor) ? [forJournal] : []),
  ];
  return pino({ level, base: null, redact: REDACTED }, shaped(target, forms));
}

/** What the configuration holds that looks like nothing: the password of the database. */
function secretsOf(configuration: Configuration): string[] {
  const values = configuration.keys
    .filter(({ schema }) => schema["secret"])
    .map(({ path }) => String(configuration.value(path) ?? ""));
  const passwords = values
    .filter((value) => URL.canParse(value))
    .map((value) => decodeURIComponent(new URL(value).password));
  return spellings(passwords);
}

/** A line of the log in another form; the JSON it was made from says what it is. */
type Form = (line: string, json: string) => string;

function shaped(target: DestinationStream, forms: readonly Form[]): DestinationStream {
  return {
    write: (json) => target.write(forms.reduce((line, form) => form(line, json), json)),
  };
}

const LEVEL_PRIORITIES: readonly (readonly [level: number, priority: number])[] = [
  [60, PRIORITY.critical],
  [50, PRIORITY.error],
  [40, PRIORITY.warning],
  [30, PRIORITY.info],
];

function forJournal(line: string, json: string): string {
  const level = Number(/"level":(\d+)/.exec(json)?.[1]);
  const [, priority = PRIORITY.debug] = LEVEL_PRIORITIES.find(([least]) => level >= least) ?? [];
  return withPriority(priority, line);
}

/** A descriptor, or a file. A log that cannot be written for a while never ends the process. */
function openTarget(file: string, fd: number): ReturnType<typeof pino.destination> {
  const where = file === "" ? { fd } : { dest: file, mkdir: true, mode: 0o600 };
  try {
    const target = pino.destination({ ...where, sync: true, maxLength: PENDING_BYTES_MAX });
    return target.on("error", () => {});
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PoolError(
      "denied",
      "logging.unwritable",
      `logging.file ${file} cannot be written: ${why}. Name a file this user may write, or leave the key away.`,
    );
  }
}

function asText(json: string): string {
  const { level, time, msg, module, ...rest } = JSON.parse(json) as Record<string, unknown>;
  const facts = Object.entries(rest).map(([name, value]) => `${name}=${factText(value)}`);
  const at = new Date(Number(time)).toISOString();
  const levelName = LEVEL_NAMES[Number(level)] ?? "INFO";
  const words = [at, levelName, module ? `${module}:` : "", msg, ...facts];
  return `${onOneLine(words.filter(Boolean).join(" "))}\n`;
}

/** Whatever a name holds, it cannot look like another line of the log. */
function onOneLine(text: string): string {
  return text.replace(/\p{Cc}/gu, (control) => JSON.stringify(control).slice(1, -1));
}

function factText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
