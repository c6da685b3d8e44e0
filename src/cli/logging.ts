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

/** The log as configured: JSON lines, or text for people, to standard output or a file. */
export function openLog(configuration: Configuration): Logger {
  const level = String(configuration.value("logging.level")).toLowerCase();
  const target = openTarget(String(configuration.value("logging.file") ?? ""));
  const stream = configuration.value("logging.format") === "text" ? textInto(target) : target;
  return pino({ level, base: null, redact: REDACTED }, stream);
}

/** Standard output, or a file. A log that cannot be written for a while never ends the process. */
function openTarget(file: string): ReturnType<typeof pino.destination> {
  const where = file === "" ? { fd: 1 } : { dest: file, mkdir: true, mode: 0o600 };
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
