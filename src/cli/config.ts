import type { Command } from "commander";
import { type ConfigKey, typeNameOf } from "@/kernel/config.ts";
import { type ConfigFlags, knownKeys, loadConfiguration, requireGood } from "./configuration.ts";
import { readEnvironmentFile } from "./environment-file.ts";
import { configOptions } from "./options.ts";
import { print } from "./output.ts";

interface Flags extends ConfigFlags {
  readonly json?: boolean;
  readonly origin?: boolean;
  readonly envFile?: string;
}

/** `config show|check|reference`. */
export function configCommands(program: Command): void {
  const config = program.command("config").description("look at the configuration");
  configOptions(config.command("show"))
    .description("print every key as it is in force")
    .option("--origin", "also where each value came from")
    .option("--json", "print JSON")
    .action(show);
  configOptions(config.command("check"))
    .description("check the configuration and say what is wrong")
    .option("--env-file <file>", "check it with the variables of this file, as systemd reads it")
    .option("--json", "print JSON")
    .action(check);
  config
    .command("reference")
    .description("print every key with type, default, limits and meaning")
    .option("--json", "print JSON")
    .action(reference);
}

function show(flags: Flags): void {
  const { configuration, file } = loadConfiguration(flags);
  const values = configuration.keys.map(({ path, schema }) => ({
    key: path,
    value: schema["secret"] ? hidden(configuration.value(path)) : configuration.value(path),
    origin: configuration.origin(path),
  }));
  if (flags.json) {
    print.json({ file, values });
    return;
  }
  const rows = values.map(({ key, value, origin }) =>
    flags.origin ? [key, asText(value), origin] : [key, asText(value)],
  );
  print.table(flags.origin ? ["key", "value", "origin"] : ["key", "value"], rows);
}

function check(flags: Flags): void {
  // A service sees what its file says, and nothing of the shell this is typed in.
  const environment =
    flags.envFile === undefined ? process.env : readEnvironmentFile(flags.envFile);
  const { file, fileExists, configuration } = loadConfiguration(flags, environment);
  requireGood(configuration);
  const set = configuration.keys.filter(({ path }) => configuration.origin(path) !== "default");
  if (flags.json) {
    print.json({ ok: true, file, file_exists: fileExists, keys_set: set.length });
    return;
  }
  print.line(
    `The configuration is good: ${set.length} keys set${fileExists ? `, file ${file}` : ""}.`,
  );
}

function reference(flags: Flags): void {
  const keys = knownKeys();
  if (flags.json) {
    print.json({ keys: keys.map(factsOf) });
    return;
  }
  for (const key of keys) {
    const { type, limits } = factsOf(key);
    const meta = [type, limits, `default ${asText(key.schema.default)}`, key.live ? "live" : ""];
    print.line(`${key.path}  (${meta.filter(Boolean).join(", ")})`);
    print.line(`    ${key.schema.description ?? ""}`);
    print.line(`    environment: ${key.variable}`);
  }
}

function factsOf({ path, schema, live, variable }: ConfigKey) {
  return {
    key: path,
    type: typeOf(schema),
    default: schema.default ?? null,
    limits: limitsOf(schema),
    live,
    environment: variable,
    description: schema.description ?? "",
  };
}

function typeOf(schema: ConfigKey["schema"]): string {
  if (schema["duration"]) return "duration (seconds, or 30s, 5m, 1h)";
  const choices = (schema["anyOf"] as ConfigKey["schema"][] | undefined)?.map(
    (one) => one["const"] ?? typeOf(one),
  );
  return choices ? choices.join(" | ") : typeNameOf(schema);
}

function limitsOf(schema: ConfigKey["schema"]): string {
  const { minimum, maximum, maxLength, pattern } = schema;
  const range = [
    minimum === undefined ? "" : `≥ ${minimum}`,
    maximum === undefined ? "" : `≤ ${maximum}`,
  ];
  const text = [
    maxLength === undefined ? "" : `≤ ${maxLength} characters`,
    pattern ? `like ${pattern}` : "",
  ];
  return [...range, ...text].filter(Boolean).join(", ");
}

function asText(value: unknown): string {
  return typeof value === "string" ? value || '""' : (JSON.stringify(value) ?? "unset");
}

/** A value that may hold a password, without it. */
function hidden(value: unknown): unknown {
  return typeof value === "string" ? value.replace(/\/\/([^:/@]*):[^@]*@/, "//$1:…@") : value;
}
