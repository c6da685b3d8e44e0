import { PoolError } from "@/std/errors.ts";
import type { NodeId } from "./ids.ts";
import type { NodeProfile, NodeRecord } from "./node.ts";
import { specializationProblem } from "./specialization.ts";

/** What a node is for when nobody says. */
export const SPECIALIZATION_USUAL = "general";

/** What a node is called when nobody says. */
export function unnamed(id: NodeId): string {
  return `node-${id.slice(0, 8)}`;
}

/** What somebody wants changed of a node; null or an empty text takes an optional word away. */
export interface NodeChanges {
  readonly name?: string | undefined;
  readonly specialization?: string | undefined;
  readonly endpoint?: string | null | undefined;
  readonly org?: string | null | undefined;
  readonly metadata?: Readonly<Record<string, string>> | undefined;
}

const TEXT_MAX = 64;
const ENDPOINT_MAX = 256;
const METADATA_ENTRIES_MAX = 16;
const METADATA_VALUE_MAX = 256;
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]/u;
const METADATA_KEY = /^[\x21-\x7e]{1,32}$/;
const ORG = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])$/;

interface Problem {
  readonly path: string;
  readonly message: string;
}

/** The profile of a new node; refuses what is missing or malformed (`node.invalid`). */
export function newProfile(wanted: NodeChanges): NodeProfile {
  const none = { name: "", specialization: "", endpoint: undefined, org: undefined, metadata: {} };
  return requireProfile({ ...none, ...changesOf(wanted) });
}

/** The profile after changes; refuses what is malformed (`node.invalid`). */
export function changedProfile(node: NodeRecord, wanted: NodeChanges): NodeProfile {
  const { name, specialization, endpoint, org, metadata } = node;
  return requireProfile({ name, specialization, endpoint, org, metadata, ...changesOf(wanted) });
}

/** Whether two profiles say the same. */
export function sameProfile(a: NodeProfile, b: NodeProfile): boolean {
  return (
    a.name === b.name &&
    a.specialization === b.specialization &&
    a.endpoint === b.endpoint &&
    a.org === b.org &&
    sameEntries(a.metadata, b.metadata)
  );
}

/** What is wrong with a name people read, if anything; it is trimmed already. */
export function nameProblem(name: string): string | undefined {
  const length = [...name].length;
  if (length >= 1 && length <= TEXT_MAX && !UNPRINTABLE.test(name)) return undefined;
  return `must be 1 to ${TEXT_MAX} printable characters`;
}

/** What is wrong with the id of an organization, if anything. */
export function orgProblem(org: string): string | undefined {
  if (ORG.test(org)) return undefined;
  return `must be 1 to ${TEXT_MAX} letters, digits, dots, hyphens and underscores`;
}

/** What is wrong with an endpoint, if anything. */
function endpointProblem(text: string): string | undefined {
  const shape = "must be tcp://host:port, http://host:port/path or grpc://host:port";
  if (text.length > ENDPOINT_MAX) return `must be at most ${ENDPOINT_MAX} characters`;
  const match = /^(tcp|http|grpc):\/\/([^/?#]*)(\/[\x21-\x7e]*)?$/.exec(text);
  if (!match) return shape;
  const [, scheme, authority = "", path = ""] = match;
  if (authority.includes("@")) return "must not carry credentials";
  if (path.includes("#") || (scheme !== "http" && path !== "")) return shape;
  return authorityProblem(authority, scheme === "http") && shape;
}

/** `host:port`; the port may be left out where the scheme has one of its own. */
function authorityProblem(authority: string, portIsOptional: boolean): true | undefined {
  const match = /^(.*?)(?::(\d{1,5}))?$/.exec(authority);
  const [, host = "", port] = match ?? [];
  if (!HOST.test(host)) return true;
  if (port === undefined) return portIsOptional ? undefined : true;
  return Number(port) >= 1 && Number(port) <= 65_535 ? undefined : true;
}

/** Only what was given, trimmed, with empty texts as nothing. */
function changesOf(wanted: NodeChanges): Partial<NodeProfile> {
  const { name, specialization, endpoint, org, metadata } = wanted;
  return {
    ...(name !== undefined && { name: name.normalize("NFC").trim() }),
    ...(specialization !== undefined && { specialization }),
    ...(endpoint !== undefined && { endpoint: endpoint || undefined }),
    ...(org !== undefined && { org: org || undefined }),
    ...(metadata !== undefined && { metadata }),
  };
}

function requireProfile(profile: NodeProfile): NodeProfile {
  const { name, specialization, endpoint, org, metadata } = profile;
  const problems = [
    problem("name", nameProblem(name)),
    problem("specialization", specializationProblem(specialization)),
    problem("endpoint", endpoint === undefined ? undefined : endpointProblem(endpoint)),
    problem("org", org === undefined ? undefined : orgProblem(org)),
    ...metadataProblems(metadata),
  ].filter((found) => found !== undefined);
  if (problems.length > 0) throw nodeInvalid(problems);
  return profile;
}

function metadataProblems(metadata: NodeProfile["metadata"]): (Problem | undefined)[] {
  const entries = Object.entries(metadata);
  if (entries.length > METADATA_ENTRIES_MAX) {
    return [problem("metadata", `must hold at most ${METADATA_ENTRIES_MAX} entries`)];
  }
  return entries.map(([key, value]) => problem("metadata", entryProblem(key, value)));
}

function entryProblem(key: string, value: string): string | undefined {
  if (!METADATA_KEY.test(key) || key.startsWith("__")) {
    return "keys must be 1 to 32 printable ASCII characters without spaces, not beginning with __";
  }
  if (value.length <= METADATA_VALUE_MAX && !UNPRINTABLE.test(value)) return undefined;
  return `values must be at most ${METADATA_VALUE_MAX} printable characters`;
}

function problem(path: string, message: string | undefined): Problem | undefined {
  return message === undefined ? undefined : { path, message };
}

function sameEntries(a: NodeProfile["metadata"], b: NodeProfile["metadata"]): boolean {
  const keys = Object.keys(a);
  return keys.length === Object.keys(b).length && keys.every((key) => a[key] === b[key]);
}

function nodeInvalid(problems: readonly Problem[]): PoolError {
  const sentence = problems.map(({ path, message }) => `${path} ${message}`).join("; ");
  return new PoolError("invalid", "node.invalid", `The node is not well described: ${sentence}.`, {
    errors: problems,
  });
}
