import { type DestinationStream, type Logger, pino } from "pino";
import type { Configuration } from "@/kernel/config.ts";
import { PoolError } from "@/std/errors.ts";

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

const REDACTED = [
  "token",
  "secret",
  "password",
  "authorization",
  "privateKey",
  "*.token",
  "*.secret",
];

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
  const target = openTarget(file, STANDARD[standard]);
  const stream = configuration.value("logging.format") === "text" ? textInto(target) : target;
  return pino({ level, base: null, redact: REDACTED }, stream);
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

function textInto(target: DestinationStream): DestinationStream {
  return {
    write(line) {
      const { level, time, msg, module, ...rest } = JSON.parse(line) as Record<string, unknown>;
      const facts = Object.entries(rest).map(([name, value]) => `${name}=${factText(value)}`);
      const at = new Date(Number(time)).toISOString();
      const words = [
        at,
        LEVEL_NAMES[Number(level)] ?? "INFO",
        module ? `${module}:` : "",
        msg,
        ...facts,
      ];
      target.write(`${words.filter(Boolean).join(" ")}\n`);
    },
  };
}

function factText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
