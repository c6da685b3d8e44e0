import { readFileSync } from "node:fs";
import { PoolError } from "@/std/errors.ts";

/** The variables a service gets from a file, as systemd reads it (EnvironmentFile=). */
export function readEnvironmentFile(file: string): Record<string, string> {
  try {
    return parseEnvironment(readFileSync(file, "utf8"));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `The environment file ${file} cannot be read: ${why}. Name another with --env-file.`;
    throw new PoolError("invalid", "config.unreadable", message, {}, error);
  }
}

type State =
  | "before-name"
  | "name"
  | "before-value"
  | "value"
  | "escaped"
  | "single-quoted"
  | "double-quoted"
  | "double-escaped"
  | "comment"
  | "escaped-comment";

interface Reading {
  name: string;
  value: string;
  /** How long the value is without blanks that may turn out to be its end. */
  kept: number;
  readonly found: Record<string, string>;
}

/**
 * Comments begin with # or ;, values may be quoted with ' or ", a backslash takes what follows as it
 * is and joins lines. A later line wins; what is no assignment is left out, as systemd does.
 */
export function parseEnvironment(text: string): Record<string, string> {
  const reading: Reading = { name: "", value: "", kept: 0, found: {} };
  let state: State = "before-name";
  for (const character of text) state = STEPS[state](reading, character);
  if (!WITHOUT_VALUE.has(state)) assigned(reading);
  return reading.found;
}

const WITHOUT_VALUE: ReadonlySet<State> = new Set<State>([
  "before-name",
  "name",
  "comment",
  "escaped-comment",
]);
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
/** What a backslash takes away from itself between double quotes. */
const ESCAPABLE = '"\\`$';

const STEPS: Readonly<Record<State, (reading: Reading, character: string) => State>> = {
  "before-name"(reading, character) {
    if (character === "#" || character === ";") return "comment";
    if (isBlank(character) || isNewline(character)) return "before-name";
    reading.name = character;
    return "name";
  },
  name(reading, character) {
    if (isNewline(character)) return "before-name";
    if (character === "=") return "before-value";
    reading.name += character;
    return "name";
  },
  "before-value"(reading, character) {
    if (isNewline(character)) return assigned(reading);
    if (isBlank(character)) return "before-value";
    return QUOTES[character] ?? add(reading, character, "value");
  },
  value(reading, character) {
    if (isNewline(character)) return assigned(reading);
    if (character === "\\") return "escaped";
    if (!isBlank(character)) return add(reading, character, "value");
    reading.value += character;
    return "value";
  },
  escaped: (reading, character) => add(reading, isNewline(character) ? "" : character, "value"),
  "single-quoted": (reading, character) =>
    character === "'" ? "before-value" : add(reading, character, "single-quoted"),
  "double-quoted"(reading, character) {
    if (character === '"') return "before-value";
    return character === "\\" ? "double-escaped" : add(reading, character, "double-quoted");
  },
  "double-escaped"(reading, character) {
    if (character === "\n") return "double-quoted";
    const said = ESCAPABLE.includes(character) ? character : `\\${character}`;
    return add(reading, said, "double-quoted");
  },
  comment(_, character) {
    if (character === "\\") return "escaped-comment";
    return isNewline(character) ? "before-name" : "comment";
  },
  "escaped-comment": (_, character) => (isNewline(character) ? "before-name" : "comment"),
};

const QUOTES: Readonly<Record<string, State>> = {
  "'": "single-quoted",
  '"': "double-quoted",
  "\\": "escaped",
};

function add(reading: Reading, text: string, next: State): State {
  reading.value += text;
  reading.kept = reading.value.length;
  return next;
}

function assigned(reading: Reading): State {
  const name = reading.name.trimEnd();
  if (NAME.test(name)) reading.found[name] = reading.value.slice(0, reading.kept);
  reading.value = "";
  reading.kept = 0;
  return "before-name";
}

function isBlank(character: string): boolean {
  return character === " " || character === "\t";
}

function isNewline(character: string): boolean {
  return character === "\n" || character === "\r";
}
