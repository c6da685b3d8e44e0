import { solveWork } from "@/core/enrolment-work.ts";
import type { Connection } from "@/ports/dialer.ts";
import { Enrolment } from "@/proto/enrolment_pb.ts";
import { fromBase32, fromHex, toBase32 } from "@/std/bytes.ts";
import { signingKey } from "@/std/crypto.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import type { JoinParts } from "./joining.ts";
import { adoptMachine } from "./own-machine.ts";
import { pinnedRoot } from "./trust.ts";

/** What a person says who joins a public pool without a token. */
export interface VisitTerms {
  /** The fingerprint of the pool's CA, as the pool's operator tells it; empty when nobody said. */
  readonly pin: string;
  /** To believe whoever answers first. */
  readonly isTrusting: boolean;
  /** Which public pool; empty for the only one. */
  readonly pool: string;
  /** An API key instead of work; empty for none. */
  readonly apiKey: string;
}

interface Visiting {
  readonly addresses: readonly string[];
  readonly visit: VisitTerms;
  readonly tell: (step: string) => void;
}

const CALL_MS = 15_000;
/** So many hashes at a time, then others get their turn. */
const CHUNK = 20_000;

/** A join token of a public pool: the CA is held against the pin before anything is said. */
export async function visitorToken(parts: JoinParts, visiting: Visiting): Promise<string> {
  const failures: string[] = [];
  for (const address of visiting.addresses) {
    try {
      return await tokenAt(parts, visiting, address);
    } catch (error) {
      if (!isRefusal(error) || error.code !== "pool.unreachable") throw error;
      failures.push(`${address}: ${error.message}`);
    }
  }
  throw new PoolError("unavailable", "pool.unreachable", `No pool answered. ${failures.join(" ")}`);
}

async function tokenAt(parts: JoinParts, visiting: Visiting, address: string): Promise<string> {
  const { dialer, certificates } = parts;
  const authority = await dialer.fetchAuthority(address, CALL_MS);
  const seen = certificates.read(authority.rootDer).spkiHash;
  visiting.tell(`the CA of ${address} has the fingerprint ${toBase32(seen)}`);
  const rootDer = visiting.visit.isTrusting
    ? authority.rootDer
    : pinnedRoot(certificates, pinIn(visiting.visit, { seen, address }), authority);
  if (!rootDer) throw differs(address, seen);
  const rootPem = certificates.toPem(rootDer);
  const connection = await dialer.connect(address, { rootPem, nowMs: authority.poolTimeMs });
  try {
    return await askFor(parts, visiting, connection);
  } finally {
    connection.close();
  }
}

async function askFor(
  parts: JoinParts,
  { visit, tell }: Visiting,
  connection: Connection,
): Promise<string> {
  adoptMachine(parts);
  const nodeKey = signingKey(parts.keeping.seed(() => parts.random.bytes(32))).publicKey;
  const { requestToken } = Enrolment.method;
  const { pool: poolId, apiKey } = visit;
  if (apiKey) {
    const request = { nodeKey, apiKey, poolId };
    return (await connection.call(requestToken, request, { timeoutMs: CALL_MS })).token;
  }
  const work = await connection.call(Enrolment.method.getWork, { poolId }, { timeoutMs: CALL_MS });
  tell(`working for a place in pool ${work.poolName}: ${work.bits} bits`);
  const counter = await solved(parts, { ...work, nodeKey });
  const request = { nodeKey, challenge: work.challenge, counter: BigInt(counter) };
  return (await connection.call(requestToken, request, { timeoutMs: CALL_MS })).token;
}

async function solved(
  { clock }: JoinParts,
  work: Parameters<typeof solveWork>[0],
): Promise<number> {
  for (let from = 0; ; from += CHUNK) {
    const counter = solveWork(work, from, CHUNK);
    if (counter !== undefined) return counter;
    await new Promise<void>((done) => clock.after(0, done));
  }
}

/** The pin as typed, in base32 or hexadecimal; nothing is said to a pool without one. */
function pinIn(
  { pin }: VisitTerms,
  { seen, address }: { readonly seen: Uint8Array; readonly address: string },
): Uint8Array {
  const text = pin.trim().toLowerCase();
  if (text === "") throw unpinned(address, seen);
  const bytes = text.length === 64 ? fromHex(text) : fromBase32(text);
  if (bytes?.length === 32) return bytes;
  const message = "This is no CA fingerprint; copy the 52 letters the pool's operator tells you.";
  throw new PoolError("invalid", "pool.pin_malformed", message);
}

function unpinned(address: string, seen: Uint8Array): PoolError {
  return new PoolError(
    "denied",
    "pool.unpinned",
    `${address} shows a CA with the fingerprint ${toBase32(seen)}. Nothing was sent. Ask the pool's operator ` +
      `whether that is right, and join with --pin ${toBase32(seen)}; --insecure-tofu believes it unasked.`,
  );
}

function differs(address: string, seen: Uint8Array): PoolError {
  return new PoolError(
    "denied",
    "pool.differs",
    `${address} is not the pool of this pin, or somebody is in between. Nothing was sent. It shows ` +
      `${toBase32(seen)}. Check the address and the pin.`,
  );
}
