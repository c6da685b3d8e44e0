import type { Command } from "commander";
import { PoolError } from "@/std/errors.ts";
import { type Client, type ClientFlags, openClient } from "./client.ts";

/** What the command line ends with; a command sets it when it is not simply done. */
export class Outcome {
  code = 0;
  /** Whether this ran for long: then nothing it left behind may keep the process. */
  isService = false;
}

/** Adds where the configuration of the pool is. */
export function configOptions(command: Command): Command {
  return command
    .option("--config <file>", "configuration file (YAML or TOML)")
    .option("--data <folder>", "data folder, over what the configuration says")
    .option("--set <key=value>", "set one configuration key; repeatable", collect, []);
}

/** Adds how to reach a running pool. */
export function clientOptions(command: Command): Command {
  return configOptions(command)
    .option("--url <url>", "another pool's HTTP address (default: the local one)")
    .option("--token <token>", "credentials for --url (default: the operator's token file)")
    .option("--ca <file>", "the root of an https:// --url, PEM; GET /api/v1/authority shows it")
    .option("--pin <pin>", "or its pin, as init printed it; nothing is sent where it differs")
    .option("--json", "print JSON");
}

/** A command that asks the pool: its arguments come as a list, then flags and the client. */
export function asking<Flags extends ClientFlags>(
  command: Command,
  act: (client: Client, flags: Flags, args: readonly string[]) => Promise<void>,
): Command {
  return clientOptions(command).action(async (...given: unknown[]) => {
    const flags = given.at(-2) as Flags;
    const args = given.slice(0, -2).filter((word): word is string => typeof word === "string");
    await act(openClient(flags), flags, args);
  });
}

/** Collects a repeatable option. */
export function collect(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

/** A whole number as typed; anything else is a mistake of usage. */
export function countIn(option: string, text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new PoolError("invalid", "cli.invalid", `${option} ${text}: write a number, such as 3.`);
}

const UNITS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600, d: 86_400 };

/** `90`, `30m`, `1h` or `7d` in seconds. */
export function secondsIn(option: string, text: string): number {
  const match = /^(\d{1,9})([smhd])?$/.exec(text);
  if (match) return Number(match[1]) * (UNITS[match[2] ?? "s"] ?? 1);
  throw new PoolError(
    "invalid",
    "cli.invalid",
    `${option} ${text}: write a time like 90s, 1h or 7d.`,
  );
}
