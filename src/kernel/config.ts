import { Kind, type TObject, type TSchema } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { PoolError } from "@/std/errors.ts";
import type { AnyModule } from "./module.ts";
import { nearest } from "./nearest.ts";

/** One configuration key, as the reference prints it. */
export interface ConfigKey {
  /** Dotted: `payout.threshold_usdt`. */
  readonly path: string;
  readonly schema: TSchema;
  /** May change without a restart. */
  readonly live: boolean;
  /** `GALAXY_POOL_PAYOUT_THRESHOLD_USDT`. */
  readonly variable: string;
}

/** Where a value came from: `default`, `file`, `env NAME` or `flag`. */
export type Origin = string;

/** One layer of settings: dotted keys to raw values. */
export interface Layer {
  readonly origin: (path: string) => Origin;
  readonly values: ReadonlyMap<string, unknown>;
}

/** The checked configuration: one object per section, and where each value came from. */
export interface Configuration {
  readonly keys: readonly ConfigKey[];
  section(name: string): Readonly<Record<string, unknown>>;
  value(path: string): unknown;
  origin(path: string): Origin;
}

/** All keys of a list of modules; several modules may share a section. */
export function configKeys(modules: readonly AnyModule[]): ConfigKey[] {
  const keys = new Map<string, ConfigKey>();
  for (const module of modules) {
    if (!module.schema) continue;
    for (const key of keysOf(module.schema, module.section ?? module.name)) keys.set(key.path, key);
  }
  return [...keys.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
}

function keysOf(schema: TObject, prefix: string): ConfigKey[] {
  return Object.entries(schema.properties).flatMap(([name, property]) => {
    const path = `${prefix}.${name}`;
    if (property[Kind] === "Object") return keysOf(property as TObject, path);
    const variable = `GALAXY_POOL_${path.replaceAll(".", "_").toUpperCase()}`;
    return [{ path, schema: property, live: property["live"] === true, variable }];
  });
}

/**
 * Lays the layers over the defaults, later ones on top, and checks every value. Refuses unknown keys
 * with the nearest known one (`config.unknown_key`) and values out of type or limits (`config.invalid`).
 */
export function configure(keys: readonly ConfigKey[], layers: readonly Layer[]): Configuration {
  const known = new Map(keys.map((key) => [key.path, key]));
  const values = new Map<string, unknown>();
  const origins = new Map<string, Origin>();
  for (const key of keys) {
    values.set(key.path, structuredClone(key.schema.default));
    origins.set(key.path, "default");
  }
  for (const layer of layers) {
    for (const [path, raw] of layer.values) {
      const key = known.get(path);
      if (!key) throw unknownKey(path, layer.origin(path), [...known.keys()]);
      values.set(path, checked(key, raw, layer.origin(path)));
      origins.set(path, layer.origin(path));
    }
  }
  return configurationOf(keys, values, origins);
}

/** What runs on while a new configuration waits for a restart: its live keys, all others as before. */
export function withLiveKeys(before: Configuration, after: Configuration): Configuration {
  const sources = after.keys.map((key) => [key.path, key.live ? after : before] as const);
  return configurationOf(
    after.keys,
    new Map(sources.map(([path, source]) => [path, source.value(path)])),
    new Map(sources.map(([path, source]) => [path, source.origin(path)])),
  );
}

function configurationOf(
  keys: readonly ConfigKey[],
  values: ReadonlyMap<string, unknown>,
  origins: ReadonlyMap<string, Origin>,
): Configuration {
  return {
    keys,
    section: (name) => sectionObject(name, values),
    value: (path) => values.get(path),
    origin: (path) => origins.get(path) ?? "default",
  };
}

/** A nested object, as a file holds it, as dotted keys; records and lists are values where a key says so. */
export function flatten(file: unknown, keys: readonly ConfigKey[]): Map<string, unknown> {
  const known = new Set(keys.map((key) => key.path));
  return new Map(flatEntries(file ?? {}, "", known));
}

function flatEntries(
  value: unknown,
  path: string,
  known: ReadonlySet<string>,
): readonly (readonly [string, unknown])[] {
  if (!isPlainObject(value) || known.has(path)) return [[path, value]];
  return Object.entries(value).flatMap(([name, inner]) =>
    flatEntries(inner, path ? `${path}.${name}` : name, known),
  );
}

/** The type of a key in one word, as the reference prints it. */
export function typeNameOf(schema: TSchema): string {
  return String(schema[Kind]).toLowerCase();
}

/** The keys whose values differ. */
export function changedKeys(before: Configuration, after: Configuration): ConfigKey[] {
  return after.keys.filter((key) => !Bun.deepEquals(before.value(key.path), after.value(key.path)));
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function sectionObject(
  name: string,
  values: ReadonlyMap<string, unknown>,
): Record<string, unknown> {
  const section: Record<string, unknown> = {};
  for (const [path, value] of values) {
    if (path.startsWith(`${name}.`)) place(section, path.slice(name.length + 1).split("."), value);
  }
  return section;
}

function place(into: Record<string, unknown>, names: readonly string[], value: unknown): void {
  const [name = "", ...rest] = names;
  if (rest.length === 0) {
    into[name] = value;
    return;
  }
  const inner = into[name];
  const next = isPlainObject(inner) ? inner : {};
  into[name] = next;
  place(next, rest, value);
}

function checked(key: ConfigKey, raw: unknown, origin: Origin): unknown {
  const value = typeof raw === "string" ? fromText(key.schema, raw) : raw;
  if (Value.Check(key.schema, value)) return value;
  const problem = Value.Errors(key.schema, value).First()?.message ?? "not what it should be";
  throw new PoolError(
    "invalid",
    "config.invalid",
    `${key.path} (${origin}) is ${shown(key, raw)}: ${problem}. ` +
      `It means: ${key.schema.description ?? "see the reference"} See "galaxy-pool config reference".`,
  );
}

/** A value as a refusal may repeat it: logs and terminals are no place for a password. */
function shown({ schema }: ConfigKey, raw: unknown): string {
  return schema["secret"] === true ? "not good" : `${JSON.stringify(raw)?.slice(0, 80)}`;
}

const TEXT_READERS: Readonly<Record<string, (text: string, schema: TSchema) => unknown>> = {
  Integer: (text, schema) => (schema["duration"] === true ? seconds(text) : numeral(text)),
  Number: (text) => numeral(text),
  Boolean: (text) => ({ true: true, false: false, "1": true, "0": false })[text] ?? text,
  Array: (text) => (text.trim() === "" ? [] : (json(text) ?? text.split(",").map((s) => s.trim()))),
  Object: (text) => json(text) ?? text,
  Record: (text) => json(text) ?? text,
};

/** Text, from the environment or a flag, as the type a key asks for. */
function fromText(schema: TSchema, text: string): unknown {
  const read = TEXT_READERS[schema[Kind]];
  return read ? read(text, schema) : text;
}

function numeral(text: string): unknown {
  return /^-?\d+(\.\d+)?$/.test(text.trim()) ? Number(text) : text;
}

/** `30`, `30s`, `5m` or `1h` in seconds. */
function seconds(text: string): unknown {
  const match = /^(\d+)(s|m|h)?$/.exec(text.trim());
  if (!match) return text;
  return Number(match[1]) * ({ s: 1, m: 60, h: 3600 }[match[2] ?? "s"] ?? 1);
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function unknownKey(path: string, origin: Origin, known: readonly string[]): PoolError {
  const near = nearest(path, known);
  const hint = near ? `Did you mean "${near}"?` : `See "galaxy-pool config reference".`;
  return new PoolError(
    "invalid",
    "config.unknown_key",
    `There is no configuration key "${path}" (${origin}). ${hint}`,
  );
}
