import { existsSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { poolModules } from "@/app.ts";
import {
  type ConfigKey,
  type Configuration,
  configKeys,
  configure,
  flatten,
  type Layer,
} from "@/kernel/config.ts";
import { checkSections } from "@/kernel/kernel.ts";
import { PoolError } from "@/std/errors.ts";
import { absolute, defaultLocations } from "./locations.ts";

/** What a person may say about configuration on the command line. */
export interface ConfigFlags {
  readonly config?: string | undefined;
  readonly data?: string | undefined;
  /** `key=value`, dotted keys. */
  readonly set?: readonly string[] | undefined;
}

/** The configuration of a pool, and the file it came from (which need not exist). */
export interface LoadedConfiguration {
  readonly configuration: Configuration;
  readonly file: string;
  readonly fileExists: boolean;
}

/** The names the sources of this project use in the environment (api.md, section 4). */
const SEED_NAMES: Readonly<Record<string, string>> = {
  NODE_MANAGEMENT_PORT: "http.port",
  DATABASE_URL: "database.url",
  MAX_NODES_PER_POOL: "registry.max_nodes",
  PAYOUT_THRESHOLD_USDT: "payout.threshold_usdt",
  POOT_CALCULATION_INTERVAL: "poot.interval_seconds",
  PAYOUT_PROCESSING_INTERVAL: "payout.interval_seconds",
  LOG_LEVEL: "logging.level",
};

/** Keys of the seeds that are called otherwise here. */
const SEED_KEYS: Readonly<Record<string, string>> = {
  "storage.cache_size": "database.cache_bytes",
};

/** Keys of the seeds that say one thing only here. */
const FIXED_KEYS: Readonly<Record<string, { readonly only: unknown; readonly why: string }>> = {
  "storage.backend": {
    only: "sqlite",
    why: "This program keeps its data in SQLite, or in PostgreSQL with database.url; there is no RocksDB in it.",
  },
  "server.tls.cert_file": { only: "", why: ownCertificates() },
  "server.tls.key_file": { only: "", why: ownCertificates() },
};

/** Sections of the seeds whose module this build lacks. */
const ABSENT_SECTIONS: Readonly<Record<string, string>> = {
  stake: "stake",
  validator: "validator",
  consensus: "validator",
  network: "federation",
  api: "validator",
  plugins: "plugins",
};

/** Variables that steer the command line or the installer, not the pool. */
const OTHER_VARIABLES = new Set(["CONFIG", "DATA", "URL", "TOKEN", "TOKEN_FILE", "VERSION"]);
const PREFIX = "GALAXY_POOL_";

/** Every key this build knows. */
export function knownKeys(): ConfigKey[] {
  return configKeys(poolModules("sqlite"));
}

/**
 * Flags over environment over credentials of systemd over file over defaults. Refuses unknown keys, values out of limits, a file
 * that cannot be read, MONGODB_URI, and sections of modules this build lacks.
 */
export function loadConfiguration(
  flags: ConfigFlags,
  environment: NodeJS.ProcessEnv = process.env,
): LoadedConfiguration {
  const keys = knownKeys();
  const named = flags.config ?? environment[`${PREFIX}CONFIG`];
  const file = absolute(named ?? defaultLocations(environment).config);
  const fileExists = named === undefined ? existsSync(file) : isThere(file);
  if (flags.config !== undefined && !fileExists) throw fileMissing(file);
  const layers = [
    builtInLayer(environment),
    ...(fileExists ? [fileLayer(file, keys)] : []),
    credentialLayer(environment, keys),
    environmentLayer(environment, keys),
    flagLayer(flags),
  ].map(inOurWords);
  const configuration = configure(keys, layers);
  if (environment["ENV"] === "production") refuseDemo(configuration);
  return { configuration, file, fileExists };
}

/** The modules this configuration asks for: the database decides. */
export function modulesFor(configuration: Configuration): ReturnType<typeof poolModules> {
  const url = String(configuration.value("database.url") ?? "");
  return poolModules(/^postgres(ql)?:/.test(url) ? "postgres" : "sqlite");
}

/** Refuses what the modules could not work with, although every key by itself is as it should be. */
export function requireGood(configuration: Configuration): void {
  checkSections(modulesFor(configuration), configuration);
}

/** ENV is `production`, `development` or `test`; anything else is a shell's own use of that name. */
function refuseDemo(configuration: Configuration): void {
  if (configuration.value("poot.demo") !== true) return;
  throw new PoolError(
    "invalid",
    "config.demo",
    `poot.demo (${configuration.origin("poot.demo")}) is true, but ENV is production: slots of a second are for trying out. Remove one of the two.`,
  );
}

function builtInLayer(environment: NodeJS.ProcessEnv): Layer {
  const data = environment[`${PREFIX}DATA`] ?? defaultLocations(environment).poolData;
  return { origin: () => "default", values: new Map([["storage.data_dir", data]]) };
}

/** The layer with the keys of the seeds in our words; what can only be one thing is checked and left out. */
function inOurWords({ origin, values }: Layer): Layer {
  const renamed = new Map<string, unknown>();
  const seedNames = new Map<string, string>();
  for (const [path, value] of values) {
    const fixed = FIXED_KEYS[path];
    if (fixed && value !== fixed.only) throw fixedRefused(path, origin(path), fixed.why);
    if (fixed) continue;
    const ours = SEED_KEYS[path] ?? path;
    renamed.set(ours, value);
    seedNames.set(ours, path);
  }
  return { origin: (path) => origin(seedNames.get(path) ?? path), values: renamed };
}

function fixedRefused(path: string, origin: string, why: string): PoolError {
  return new PoolError("invalid", "config.fixed", `"${path}" (${origin}) cannot be set so. ${why}`);
}

function ownCertificates(): string {
  return (
    "The certificates of a pool come from its own CA, which nodes pin; leave this key away. " +
    "For a public name, put a reverse proxy before http.port."
  );
}

function fileLayer(file: string, keys: readonly ConfigKey[]): Layer {
  const values = flatten(parseFile(file), keys);
  for (const path of values.keys()) refuseAbsent(path, file);
  return { origin: () => `file ${file}`, values };
}

/** Whether there is a file: one in a folder that is closed to this user must not be taken for none. */
function isThere(file: string): boolean {
  try {
    return statSync(file) !== undefined;
  } catch (error) {
    return !["ENOENT", "ENOTDIR"].includes((error as NodeJS.ErrnoException).code ?? "");
  }
}

function parseFile(file: string): unknown {
  const text = readWhole(file);
  try {
    return file.endsWith(".toml") ? Bun.TOML.parse(text) : (Bun.YAML.parse(text) ?? {});
  } catch (error) {
    const format = file.endsWith(".toml") ? "TOML" : "YAML";
    throw unreadable(file, `as ${format}: ${messageOf(error)}. Mend it`, error);
  }
}

function readWhole(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const uid = process.getuid?.();
    const remedy =
      code === "EISDIR"
        ? "A container engine makes a folder where the file it is told to mount does not exist: make the file first"
        : `Let uid ${uid} read it, for example with "chmod a+r" on it and "chmod a+x" on its folder`;
    throw unreadable(file, `by this user (uid ${uid}): ${messageOf(error)}. ${remedy}`, error);
  }
}

function unreadable(file: string, why: string, cause: unknown): PoolError {
  const message = `${file} cannot be read ${why}, or name another with --config.`;
  return new PoolError("invalid", "config.unreadable", message, {}, cause);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : "unreadable";
}

function environmentLayer(environment: NodeJS.ProcessEnv, keys: readonly ConfigKey[]): Layer {
  if (environment["MONGODB_URI"] !== undefined) throw mongoRefused();
  const byVariable = new Map(keys.map((key) => [key.variable, key.path]));
  const values = new Map<string, unknown>();
  const names = new Map<string, string>();
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined) continue;
    const path = SEED_NAMES[name] ?? byVariable.get(name) ?? strangerPath(name);
    if (path === undefined) continue;
    if (SEED_NAMES[name] !== undefined && names.has(path)) continue;
    values.set(path, value);
    names.set(path, name);
  }
  return { origin: (path) => `environment ${names.get(path) ?? path}`, values };
}

/** What systemd hands over of the keys that may hold a password: a file of the key's name. */
function credentialLayer(environment: NodeJS.ProcessEnv, keys: readonly ConfigKey[]): Layer {
  const folder = environment["CREDENTIALS_DIRECTORY"];
  const values = new Map<string, unknown>();
  for (const { path } of keys.filter(({ schema }) => schema["secret"])) {
    const file = folder === undefined ? "" : join(folder, path);
    if (folder !== undefined && isThere(file)) values.set(path, readWhole(file).trim());
  }
  return { origin: (path) => `credential ${path}`, values };
}

/** An unknown GALAXY_POOL_ variable becomes an unknown key, so that it is refused like one. */
function strangerPath(name: string): string | undefined {
  if (!name.startsWith(PREFIX) || OTHER_VARIABLES.has(name.slice(PREFIX.length))) return undefined;
  const path = name.slice(PREFIX.length).toLowerCase().replace("_", ".");
  refuseAbsent(path, `environment ${name}`);
  return path;
}

function flagLayer(flags: ConfigFlags): Layer {
  const values = new Map<string, unknown>();
  for (const pair of flags.set ?? []) {
    const at = pair.indexOf("=");
    if (at < 1) {
      throw new PoolError("invalid", "config.invalid", `--set ${pair}: write it as key=value.`);
    }
    refuseAbsent(pair.slice(0, at), "--set");
    values.set(pair.slice(0, at), pair.slice(at + 1));
  }
  if (flags.data !== undefined) values.set("storage.data_dir", absolute(flags.data));
  return { origin: () => "flag", values };
}

function refuseAbsent(path: string, origin: string): void {
  const section = path.split(".")[0] ?? "";
  const module = ABSENT_SECTIONS[section];
  if (module === undefined) return;
  throw new PoolError(
    "unimplemented",
    "config.module_missing",
    `"${path}" (${origin}) belongs to the module "${module}", which this build does not have. Remove the section "${section}".`,
  );
}

function mongoRefused(): PoolError {
  return new PoolError(
    "invalid",
    "config.mongodb",
    "MONGODB_URI is set, but this program keeps its data in SQLite or PostgreSQL. Unset it; to use a server set DATABASE_URL=postgres://…",
  );
}

function fileMissing(file: string): PoolError {
  return new PoolError(
    "not_found",
    "config.missing",
    `There is no configuration file ${file}. Make one with "galaxy-pool init --config ${file}", or leave --config away.`,
  );
}
