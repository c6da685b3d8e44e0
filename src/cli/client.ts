import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Configuration } from "@/kernel/config.ts";
import { PoolError, REFUSALS, type RefusalKind } from "@/std/errors.ts";
import { type FetchTrust, type TrustFlags, trustOf } from "./client-trust.ts";
import { type ConfigFlags, loadConfiguration } from "./configuration.ts";

const TIMEOUT_MS = 15_000;
const TOKEN_FILE = "operator.token";
const OPERATOR_TOKEN = /^gpo_[a-z2-7]{26}$/;
/** Where `serve` leaves the addresses it listens on, in the data folder. */
export const LISTENING_FILE = "listening.json";

/** How a command reaches its pool. */
export interface ClientFlags extends ConfigFlags, TrustFlags {
  readonly url?: string | undefined;
  readonly token?: string | undefined;
  readonly json?: boolean | undefined;
}

/** What a request may carry. */
export interface Ask {
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The HTTP API of one pool, with the operator's token. */
export class Client {
  readonly url: string;
  readonly #token: string | undefined;
  readonly #flags: TrustFlags;
  #trust: Promise<FetchTrust | undefined> | undefined;

  constructor(url: string, token: string | undefined, flags: TrustFlags = {}) {
    this.url = url.replace(/\/$/, "");
    this.#token = token;
    this.#flags = flags;
  }

  /** The JSON answer of a route; refuses with what the pool refused with. */
  async json<T = Record<string, unknown>>(method: string, path: string, ask: Ask = {}): Promise<T> {
    return jsonIn<T>(await this.#fetch(method, path, ask), this.url);
  }

  /** The text of a route, whatever its type. */
  async text(method: string, path: string, ask: Ask = {}): Promise<string> {
    return textIn(await this.#fetch(method, path, ask), this.url);
  }

  /** The body whatever the status: for health, which says no with 503. */
  async peek<T>(path: string): Promise<{ readonly status: number; readonly body: T }> {
    const answer = await this.#send("GET", path, {});
    return { status: answer.status, body: await jsonIn<T>(answer, this.url) };
  }

  /** All items of a paged list. */
  async *items<T>(
    path: string,
    query: Readonly<Record<string, string | undefined>> = {},
  ): AsyncGenerator<T> {
    let cursor: string | undefined;
    do {
      const page: { items: T[]; next_cursor?: string | null } = await this.json("GET", path, {
        query: { limit: "500", ...query, cursor },
      });
      yield* page.items;
      cursor = page.next_cursor ?? undefined;
    } while (cursor !== undefined);
  }

  async #fetch(method: string, path: string, ask: Ask): Promise<Response> {
    const answer = await this.#send(method, path, ask);
    if (answer.ok) return answer;
    throw await refusalOf(answer);
  }

  async #send(method: string, path: string, ask: Ask): Promise<Response> {
    const url = new URL(this.url + path);
    for (const [name, value] of Object.entries(ask.query ?? {})) {
      if (value !== undefined) url.searchParams.set(name, value);
    }
    this.#trust ??= trustOf(this.url, this.#flags);
    const tls = await this.#trust;
    const headers = new Headers(ask.headers);
    if (this.#token) headers.set("authorization", `Bearer ${this.#token}`);
    const signal = AbortSignal.timeout(TIMEOUT_MS);
    const init: BunFetchRequestInit = { method, headers, signal, ...(tls && { tls }) };
    if (ask.body !== undefined) {
      headers.set("content-type", "application/json");
      init.body = JSON.stringify(ask.body);
    }
    try {
      return await fetch(url, init);
    } catch (error) {
      throw unreachable(this.url, error);
    }
  }
}

/** Names of this machine that no proxy is asked for, whatever the environment says of proxies. */
const OURSELVES = ["127.0.0.1", "localhost", "::1", "::", "0.0.0.0"];

/** Keeps what is said to the pool of this machine, also at an address of its own, on this machine. */
export function sparingProxies(url?: string, environment: NodeJS.ProcessEnv = process.env): void {
  const spared = environment["no_proxy"] ?? environment["NO_PROXY"] ?? "";
  const own =
    url !== undefined && URL.canParse(url) ? [withoutBrackets(new URL(url).hostname)] : [];
  const names = new Set([...spared.split(",").map((name) => name.trim()), ...OURSELVES, ...own]);
  names.delete("");
  for (const name of ["NO_PROXY", "no_proxy"]) environment[name] = [...names].join(",");
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, "$1");
}

/** The client of the pool the flags name: `--url` and `--token`, or the local one with its token file. */
export function openClient(
  flags: ClientFlags,
  environment: NodeJS.ProcessEnv = process.env,
): Client {
  const url = flags.url ?? environment["GALAXY_POOL_URL"];
  const token = flags.token ?? environment["GALAXY_POOL_TOKEN"];
  if (token !== undefined) requireToken(token);
  const ca = flags.ca ?? environment["GALAXY_POOL_CA"];
  const pin = flags.pin ?? environment["GALAXY_POOL_PIN"];
  if (url !== undefined) return new Client(requireUrl(url), token, { ca, pin });
  const { configuration } = loadConfiguration(flags);
  const dataDir = String(configuration.value("storage.data_dir"));
  return new Client(localUrl(configuration), token ?? localToken(dataDir));
}

/** Where the pool of this machine answers: as it said itself, or as it is configured. No proxy is asked. */
export function localUrl(configuration: Configuration): string {
  const said = listeningUrl(String(configuration.value("storage.data_dir")));
  const url = said ?? configuredUrl(configuration);
  sparingProxies(url);
  return url;
}

function configuredUrl(configuration: Configuration): string {
  const address = String(configuration.value("http.address"));
  return `http://${address.includes(":") ? `[${address}]` : address}:${configuration.value("http.port")}`;
}

/** What `serve` wrote about where it listens: needed when the port is 0. */
function listeningUrl(dataDir: string): string | undefined {
  const path = join(dataDir, LISTENING_FILE);
  if (!existsSync(path)) return undefined;
  try {
    return (JSON.parse(readFileSync(path, "utf8")) as { plain?: string[] }).plain?.[0];
  } catch {
    return undefined;
  }
}

/**
 * The folder is the service's, and root may ask: whatever else stands in that file, or behind a link in
 * its place, is not sent to the address that the same folder names.
 */
function localToken(dataDir: string): string {
  const path = join(dataDir, TOKEN_FILE);
  try {
    const token = readFileSync(path, "utf8").trim();
    if (OPERATOR_TOKEN.test(token)) return token;
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === "ENOENT";
    throw noToken(path, isMissing ? "does not exist" : "cannot be read by this user", error);
  }
  throw noToken(path, "holds no token");
}

function noToken(path: string, why: string, cause?: unknown): PoolError {
  const message =
    `The operator's token ${path} ${why}. Run as the user who owns the pool (sudo), ` +
    'run "galaxy-pool init" first, or give --url and --token.';
  return new PoolError("denied", "cli.no_token", message, {}, cause);
}

/** The address as it was typed, or a refusal of what cannot be one. */
export function requireUrl(url: string): string {
  if (/^https?:\/\/[^/\s]/i.test(url) && URL.canParse(url)) return url;
  const message = `"${url}" is no address of a pool; write http://host:port or https://host:port.`;
  throw new PoolError("invalid", "cli.invalid", message);
}

/** Never says the token: what stands in its place may still be one. */
function requireToken(token: string): void {
  if (/^[\x21-\x7e]+$/.test(token)) return;
  const message = "The --token holds a character no token has; copy it again, as one word.";
  throw new PoolError("invalid", "cli.invalid", message);
}

async function textIn(answer: Response, url: string): Promise<string> {
  try {
    return await answer.text();
  } catch (error) {
    throw unreachable(url, error);
  }
}

async function jsonIn<T>(answer: Response, url: string): Promise<T> {
  const text = await textIn(answer, url);
  try {
    return JSON.parse(text) as T;
  } catch (error) {
    throw notAPool(url, "it does not speak JSON", error);
  }
}

/** Something else listens there. */
export function notAPool(url: string, why: string, cause?: unknown): PoolError {
  const message = `What answers at ${url} is no galaxy-pool: ${why}. Check --url.`;
  return new PoolError("unavailable", "cli.not_a_pool", message, {}, cause);
}

async function refusalOf(answer: Response): Promise<PoolError> {
  const said: unknown = await answer.json().catch(() => null);
  const problem = (said ?? {}) as {
    code?: string;
    detail?: string;
    errors?: { path: string; message: string }[];
  };
  const detail = problem.detail ?? `The pool answered ${answer.status}.`;
  return new PoolError(kindOf(answer.status), problem.code ?? "http.refused", detail, {
    ...(problem.errors ? { errors: problem.errors } : {}),
  });
}

function kindOf(status: number): RefusalKind {
  const kinds = Object.keys(REFUSALS) as RefusalKind[];
  return (
    kinds.find((kind) => REFUSALS[kind].http === status) ?? (status < 500 ? "invalid" : "internal")
  );
}

/** What Bun calls a certificate that no root it was given has signed. */
const UNTRUSTED = /^(UNABLE_TO_|DEPTH_ZERO_|SELF_SIGNED_|CERT_UNTRUSTED)/;

function unreachable(url: string, error: unknown): PoolError {
  const why = error instanceof Error ? error.message : String(error);
  if (UNTRUSTED.test(String((error as { code?: unknown } | null)?.code))) {
    return new PoolError(
      "unavailable",
      "cli.untrusted",
      `Nothing was sent to ${url}: who answers there is not trusted (${why}). Give the pool's pin with --pin, as init printed it, or its root with --ca.`,
    );
  }
  return new PoolError(
    "unavailable",
    "cli.unreachable",
    `No pool answers at ${url} (${why}). Is it running? Try "galaxy-pool serve" or "systemctl status galaxy-pool", or name another with --url.`,
  );
}
