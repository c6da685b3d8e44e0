import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { PoolError } from "@/std/errors.ts";
import type { Agent, FolderFlags } from "./node-folder.ts";
import { asTyped, print } from "./output.ts";

/** What `node join` may be told. */
export interface JoinFlags extends FolderFlags {
  readonly token?: string;
  readonly tokenFile?: string;
  readonly name?: string;
  readonly specialization?: string;
  readonly endpoint?: string;
  readonly org?: string;
  readonly meta?: readonly string[];
  readonly payoutAddress?: string;
  readonly rail?: string;
  readonly sameNode?: boolean;
  readonly newNode?: boolean;
  readonly public?: boolean;
  readonly pin?: string;
  readonly pool?: string;
  readonly apiKeyFile?: string;
  readonly insecureTofu?: boolean;
}

type Terms = Parameters<Agent["join"]>[0];

const DEFAULT_PORT = 50051;

/** What was said on the command line and in the environment; refused before anything is opened. */
export function joinTerms(
  flags: JoinFlags,
  hosts: readonly string[],
  environment: NodeJS.ProcessEnv = process.env,
): Terms {
  return {
    addresses: hostsIn(hosts, environment).map(addressIn),
    token: flags.public ? "" : tokenIn(flags, environment),
    visit: visitIn(flags, environment),
    name: flags.name ?? "",
    hostName: hostname(),
    specialization: flags.specialization ?? "",
    endpoint: flags.endpoint ?? "",
    org: flags.org ?? "",
    node: nodeIn(flags),
    metadata: Object.fromEntries((flags.meta ?? []).map(pairOf)),
    tell: (step) => {
      if (!flags.json) console.error(`… ${step}`);
    },
  };
}

/** Joins, and sets where to be paid when that was said. */
export async function join(agent: Agent, flags: JoinFlags, terms: Terms): Promise<void> {
  const membership = await agent.join(terms);
  if (flags.payoutAddress) await agent.setAddress(flags.rail ?? "manual", flags.payoutAddress);
  const { nodeId, poolId, installationId, addresses } = membership;
  if (flags.json)
    print.json({ node_id: nodeId, pool_id: poolId, installation_id: installationId, addresses });
  else tellJoined(membership, flags);
}

function tellJoined({ nodeId, poolId }: ReturnType<Agent["membership"]>, flags: JoinFlags): void {
  const same = flags.data === undefined ? "" : ` --data ${asTyped(flags.data)}`;
  print.line(`Joined: node ${nodeId} in pool ${poolId}.`);
  print.line(
    flags.payoutAddress
      ? "The payout address is set."
      : `Set where to be paid: galaxy-pool node address ADDRESS${same}`,
  );
  print.line(`Next: galaxy-pool node run${same}`);
}

/** How a machine comes into a public pool; undefined with a token. */
function visitIn(flags: JoinFlags, environment: NodeJS.ProcessEnv): Terms["visit"] {
  const { pin = environment["GALAXY_POOL_PIN"] ?? "", pool = "", apiKeyFile } = flags;
  if (!flags.public) return undefined;
  if (flags.token !== undefined || flags.tokenFile !== undefined)
    throw usage("With a token, leave --public out: the token says which pool it is for.");
  const apiKey = apiKeyFile === undefined ? "" : tokenOfFile(apiKeyFile);
  return { pin, pool, apiKey, isTrusting: flags.insecureTofu === true };
}

/** Which node a machine is to be that found the key of another machine in its folder. */
function nodeIn({ sameNode, newNode }: JoinFlags): Terms["node"] {
  if (sameNode && newNode)
    throw usage("Say --same-node when the board was swapped, or --new-node for a copy, not both.");
  if (newNode) return "new";
  return sameNode ? "same" : undefined;
}

function hostsIn(hosts: readonly string[], environment: NodeJS.ProcessEnv): readonly string[] {
  const url = environment["GALAXY_POOL_URL"];
  if (hosts.length > 0) return hosts;
  if (url) return [url];
  throw usage("Which pool? Name its host: galaxy-pool node join HOST, or set GALAXY_POOL_URL.");
}

/** A token on the command line is seen by everybody on this machine, so there are other ways. */
function tokenIn({ token, tokenFile }: JoinFlags, environment: NodeJS.ProcessEnv): string {
  if (token !== undefined && tokenFile !== undefined)
    throw usage("Give the token or its file, --token or --token-file, not both.");
  if (token !== undefined) return token;
  const file = tokenFile ?? (environment["GALAXY_POOL_TOKEN"] ? "" : tokenFileIn(environment));
  if (file) return tokenOfFile(file);
  const said = environment["GALAXY_POOL_TOKEN"];
  if (said) return said;
  throw usage(
    'A token is needed: --token, --token-file or GALAXY_POOL_TOKEN. The pool makes one with "galaxy-pool token create".',
  );
}

function tokenFileIn(environment: NodeJS.ProcessEnv): string {
  return environment["GALAXY_POOL_TOKEN_FILE"] ?? "";
}

function tokenOfFile(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw usage(`The file of the token or key cannot be read: ${why}.`);
  }
}

/**
 * host:port of `host`, `host:port`, an IPv6 address or `[v6]:port`, also as a URL: `grpc://` and
 * `grpcs://` name the port of gRPC, `https://` the pool's pages, whose gRPC is on its usual port.
 */
export function addressIn(text: string): string {
  const match = /^(?:(grpcs?|https):\/\/)?([^/\s]+)\/?$/i.exec(text.trim());
  if (!match) throw usage(`"${text}" is no address of a pool; write host, host:port or [v6]:port.`);
  const [, scheme = "", place = ""] = match;
  return scheme.toLowerCase() === "https" ? withPort(withoutPort(place)) : withPort(place);
}

function withoutPort(place: string): string {
  return /^(\[.*\]|[^:]+):\d+$/.exec(place)?.[1] ?? place;
}

function withPort(host: string): string {
  if (/^\[.*\]:\d+$/.test(host) || /^[^:]+:\d+$/.test(host)) return host;
  if (host.startsWith("[")) return `${host}:${DEFAULT_PORT}`;
  return host.includes(":") ? `[${host}]:${DEFAULT_PORT}` : `${host}:${DEFAULT_PORT}`;
}

function pairOf(pair: string): readonly [string, string] {
  const at = pair.indexOf("=");
  if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
  throw usage(`--meta ${pair}: write it as key=value.`);
}

function usage(message: string): PoolError {
  return new PoolError("invalid", "cli.invalid", message);
}
