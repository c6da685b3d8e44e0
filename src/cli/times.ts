import { PoolError } from "@/std/errors.ts";

const UNITS_MS: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3600e3, d: 86_400e3 };

/** A time as typed for an option: `90s`, `30m`, `2h` or `7d`. */
export function durationMs(option: string, text: string): number {
  const match = /^(\d{1,6})([smhd])$/.exec(text);
  if (match) return Number(match[1]) * (UNITS_MS[match[2] ?? "s"] ?? 0);
  throw new PoolError(
    "invalid",
    "cli.invalid",
    `${option} ${text}: write a time like 90s, 30m, 2h or 7d.`,
  );
}
