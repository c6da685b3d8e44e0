import { readFileSync } from "node:fs";
import { fromBase32, sameBytes, toBase32 } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";
import { pinOf } from "@/std/pin.ts";

const PIN_BYTES = 32;
const NO_PIN = new Uint8Array();
/** The name every pool's certificate carries, so that it may be reached at any address. */
const POOL_NAME = "DNS:pool.galaxy-pool.internal";
const TIMEOUT_MS = 15_000;

/** By what a command believes an HTTPS address; the roots of this system when nothing is said. */
export interface TrustFlags {
  readonly ca?: string | undefined;
  readonly pin?: string | undefined;
}

/** How `fetch` is to judge who answers. */
export interface FetchTrust {
  readonly ca: string;
  readonly checkServerIdentity: (host: string, certificate: Names) => Error | undefined;
}

/** The names of a certificate, as TLS stacks write them: `DNS:…, IP Address:…`. */
interface Names {
  readonly subjectaltname?: string;
}

interface Authority {
  readonly root_pem?: unknown;
  readonly previous?: { readonly root_pem?: unknown } | null;
}

/**
 * What an address is believed by: a file of roots, or a pin, which is what `init` printed and join
 * tokens hold. With a pin, whoever answers is asked for its root and told nothing before that fits.
 */
export async function trustOf(
  url: string,
  { ca, pin }: TrustFlags,
): Promise<FetchTrust | undefined> {
  if (ca === undefined && pin === undefined) return undefined;
  if (!/^https:/i.test(url)) throw usage("--ca and --pin need an https:// address.");
  if (ca !== undefined && pin !== undefined) throw usage("Give --ca or --pin, not both.");
  const roots = ca === undefined ? await pinnedRoot(url, pin ?? "") : rootsIn(ca);
  return { ca: roots, checkServerIdentity: isPool };
}

/** A root of the pool's own signs for servers only pools, whatever address they are reached at. */
function isPool(host: string, { subjectaltname = "" }: Names): Error | undefined {
  const names = new Set(subjectaltname.split(", "));
  const domain = host.replace(/^[^.]+/, "*");
  const good = [POOL_NAME, `DNS:${host}`, `IP Address:${host}`, `DNS:${domain}`];
  if (good.some((name) => names.has(name))) return undefined;
  return new Error(`its certificate is not for ${host}`);
}

function rootsIn(file: string): string {
  try {
    const pem = readFileSync(file, "utf8");
    if (pem.includes("-----BEGIN CERTIFICATE-----")) return pem;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw usage(`The file of --ca cannot be read: ${why}.`);
  }
  throw usage(`The file ${file} of --ca holds no certificate in PEM.`);
}

async function pinnedRoot(url: string, text: string): Promise<string> {
  const pin = fromBase32(text);
  if (pin?.length !== PIN_BYTES) throw usage("--pin: write the 52 letters that init printed.");
  const { root_pem, previous } = await authorityAt(url);
  const roots = [root_pem, previous?.root_pem].filter((pem) => typeof pem === "string");
  const pinned = roots.find((pem) => sameBytes(pinOf(pem) ?? NO_PIN, pin));
  if (pinned !== undefined) return pinned;
  const shown = roots.map((pem) => toBase32(pinOf(pem) ?? NO_PIN)).join(" and ") || "no root";
  throw new PoolError(
    "denied",
    "cli.pin_differs",
    `${url} is not the pool of that pin, or somebody is in between. Nothing was sent. ` +
      `--pin says ${toBase32(pin)}, the pool shows ${shown}. Check the address and the pin.`,
  );
}

/** Asks whoever answers, believing nobody; no credential is sent. */
async function authorityAt(url: string): Promise<Authority> {
  const terms = { tls: { rejectUnauthorized: false }, redirect: "error" as const };
  const signal = AbortSignal.timeout(TIMEOUT_MS);
  try {
    const answer = await fetch(new URL("/api/v1/authority", url), { ...terms, signal });
    return ((await answer.json()) ?? {}) as Authority;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PoolError(
      "unavailable",
      "cli.unreachable",
      `No pool answers at ${url} (${why}).`,
      {},
      error,
    );
  }
}

function usage(message: string): PoolError {
  return new PoolError("invalid", "cli.invalid", message);
}
