import { type DestinationStream, type Logger, pino } from "pino";
import type { Configuration } from "@/kernel/config.ts";

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
  const file = String(configuration.value("logging.file") ?? "");
  const target = pino.destination(
    file === "" ? { fd: 1, sync: true } : { dest: file, mkdir: true, sync: true, mode: 0o600 },
  );
  const stream = configuration.value("logging.format") === "text" ? textInto(target) : target;
  return pino({ level, base: null, redact: REDACTED }, stream);
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
