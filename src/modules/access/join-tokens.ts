import type { Caller } from "@/core/caller.ts";
import type { PoolId } from "@/core/ids.ts";
import { nameProblem } from "@/core/node-profile.ts";
import { specializationProblem } from "@/core/specialization.ts";
import {
  formatToken,
  SECRET_BYTES,
  secretHash,
  secretOf,
  TOKEN_ID_BYTES,
  tokenIdOf,
} from "@/core/token.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Database, Write } from "@/ports/database.ts";
import type { Random } from "@/ports/random.ts";
import { PoolError } from "@/std/errors.ts";
import type { PageRequest } from "@/std/paging.ts";
import { enrolmentRefused } from "./refusals.ts";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** How long a dead token stays in the list. */
const KEPT_MS = 30 * DAY_MS;

/** The longest a join token may live, and its usual life, in seconds. */
export const TTL_SECONDS_MAX = 30 * 86_400;
export const TTL_SECONDS_DEFAULT = 3_600;
/** The most nodes one token may admit. */
export const USES_MAX = 10_000;

/** What is asked of a new token. */
export interface JoinTokenTerms {
  readonly pool: PoolId;
  readonly uses?: number | undefined;
  readonly ttlSeconds?: number | undefined;
  /** Only a node of this name may use it. */
  readonly nodeName?: string | undefined;
  /** Nodes that use it are of this specialization, approved. */
  readonly specialization?: string | undefined;
  /** Who got it by itself. */
  readonly visitor?: Visitor | undefined;
}

/** A stranger who comes into a public pool with a token for its key only. */
export interface Visitor {
  readonly network: string;
  readonly nodeKey: Uint8Array;
  readonly org: string | undefined;
}

/** What is kept of a token; the secret is not. */
export interface JoinTokenRecord {
  readonly id: string;
  readonly pool: PoolId;
  readonly secretHash: Uint8Array;
  readonly uses: number;
  readonly usesLeft: number;
  readonly createdAtMs: number;
  readonly expiresAtMs: number;
  readonly revokedAtMs: number | undefined;
  readonly createdBy: string;
  readonly nodeName: string | undefined;
  readonly specialization: string | undefined;
  readonly visitor: Visitor | undefined;
}

/** A new token, and the text that is shown once. */
export interface CreatedToken {
  readonly token: JoinTokenRecord;
  readonly text: string;
}

/** What the tokens work with. */
export interface JoinTokenParts {
  readonly database: Database;
  readonly random: Random;
  readonly audit: Audit;
  /** What names the root that signs now. */
  readonly pin: () => Uint8Array;
  readonly nowMs: () => number;
}

/** The rights to join a pool: made by an operator, shown once, used up by enrolments. */
export class JoinTokens {
  readonly #parts: JoinTokenParts;

  constructor(parts: JoinTokenParts) {
    this.#parts = parts;
  }

  /** Makes a token, together with other writes; its text is answered here and never again. */
  async create(
    caller: Caller,
    terms: JoinTokenTerms,
    also: (token: JoinTokenRecord) => readonly Write[] = () => [],
  ): Promise<CreatedToken> {
    requireTerms(terms);
    const { database, random, audit, pin } = this.#parts;
    const secret = secretOf(random.bytes(SECRET_BYTES));
    const token = recordOf(terms, {
      id: tokenIdOf(random.bytes(TOKEN_ID_BYTES)),
      secretHash: secretHash(secret),
      createdBy: caller.id,
      nowMs: this.#parts.nowMs(),
    });
    const { id, pool, uses } = token;
    await database.commit([
      { query: database.sql.insertInto("join_token").values(rowOf(token)).compile(), rows: 1 },
      this.#forgetOld(),
      audit.row(caller, "token.created", id, { pool, uses, expiresAtMs: token.expiresAtMs }),
      ...also(token),
    ]);
    return { token, text: formatToken({ pool, pin: pin(), id, secret }) };
  }

  async find(id: string): Promise<JoinTokenRecord | undefined> {
    const query = this.#parts.database.sql.selectFrom("join_token").selectAll();
    const [row] = await query.where("id", "=", id).execute();
    return row && tokenOf(row);
  }

  /** Tokens, the newest first: one more than the page holds, so that it is known whether more follow. */
  async list(page: PageRequest, pools?: readonly PoolId[]): Promise<readonly JoinTokenRecord[]> {
    if (pools?.length === 0) return [];
    const all = this.#parts.database.sql
      .selectFrom("join_token")
      .selectAll()
      .orderBy("created_at_ms", "desc")
      .orderBy("id", "desc")
      .limit(page.limit + 1);
    const order = pools ? all.where("pool", "in", pools) : all;
    const { createdAtMs, id } = placeIn(page.after);
    const query =
      page.after === undefined
        ? order
        : order.where(({ eb, refTuple, tuple }) =>
            eb(refTuple("created_at_ms", "id"), "<", tuple(createdAtMs, id)),
          );
    return (await query.execute()).map(tokenOf);
  }

  /** Ends a token, of one of these pools or of any; who has joined with it stays. */
  async revoke(caller: Caller, id: string, pools?: readonly PoolId[]): Promise<void> {
    const token = pools && (await this.find(id));
    if (pools && !(token && pools.includes(token.pool))) throw tokenUnknown(id);
    const { database, audit, nowMs } = this.#parts;
    const query = database.sql
      .updateTable("join_token")
      .set({ revoked_at_ms: BigInt(nowMs()) })
      .where("id", "=", id)
      .where("revoked_at_ms", "is", null);
    await database.commit([
      { query: query.compile(), rows: 1, refusal: tokenUnknown(id) },
      audit.row(caller, "token.revoked", id),
    ]);
  }

  /** One use less of a token that is still live; no use is left twice, however many ask at once. */
  use(id: string): Write {
    const query = this.#parts.database.sql
      .updateTable("join_token")
      .set(({ eb }) => ({ uses_left: eb("uses_left", "-", 1n) }))
      .where("id", "=", id)
      .where("uses_left", ">", 0n)
      .where("revoked_at_ms", "is", null)
      .where("expires_at_ms", ">", BigInt(this.#parts.nowMs()));
    return { query: query.compile(), rows: 1, refusal: enrolmentRefused() };
  }

  #forgetOld(): Write {
    const before = BigInt(this.#parts.nowMs() - KEPT_MS);
    const query = this.#parts.database.sql.deleteFrom("join_token");
    return { query: query.where("expires_at_ms", "<", before).compile() };
  }
}

/** What became of a token; only a live one may be used. */
export type JoinTokenState = "live" | "used" | "expired" | "revoked";

/** The state of a token at a time. */
export function stateOf(token: JoinTokenRecord, nowMs: number): JoinTokenState {
  if (token.revokedAtMs !== undefined) return "revoked";
  if (token.usesLeft === 0) return "used";
  return nowMs < token.expiresAtMs ? "live" : "expired";
}

/** Where a token stands in the list. */
export function placeOf(token: JoinTokenRecord): string {
  return `${token.createdAtMs}.${token.id}`;
}

function placeIn(place = "0."): { readonly createdAtMs: bigint; readonly id: string } {
  const [createdAtMs = "0", id = ""] = place.split(".");
  return { createdAtMs: BigInt(createdAtMs), id };
}

/** A token nobody could join with is refused where it is made, not where it is used. */
function requireTerms({ nodeName, specialization }: JoinTokenTerms): void {
  const problems = [
    { path: "node_name", message: nodeName === undefined ? undefined : nodeNameProblem(nodeName) },
    {
      path: "specialization",
      message: specialization === undefined ? undefined : specializationProblem(specialization),
    },
  ].flatMap(({ path, message }) => (message === undefined ? [] : [{ path, message }]));
  if (problems.length === 0) return;
  const sentence = problems.map(({ path, message }) => `${path} ${message}`).join("; ");
  throw new PoolError("invalid", "token.invalid", `Nobody could join with it: ${sentence}.`, {
    errors: problems,
  });
}

function nodeNameProblem(name: string): string | undefined {
  if (name !== name.normalize("NFC").trim()) return "must not begin or end with spaces";
  return nameProblem(name);
}

interface Origin {
  readonly id: string;
  readonly secretHash: Uint8Array;
  readonly createdBy: string;
  readonly nowMs: number;
}

function recordOf(terms: JoinTokenTerms, { nowMs, ...origin }: Origin): JoinTokenRecord {
  const { pool, uses = 1, ttlSeconds = TTL_SECONDS_DEFAULT, nodeName, specialization } = terms;
  const { visitor } = terms;
  const times = { createdAtMs: nowMs, expiresAtMs: nowMs + ttlSeconds * 1000 };
  const left = { uses, usesLeft: uses, revokedAtMs: undefined };
  return { ...origin, ...times, ...left, pool, nodeName, specialization, visitor };
}

function rowOf(token: JoinTokenRecord) {
  return {
    id: token.id,
    pool: token.pool,
    secret_hash: token.secretHash,
    uses: BigInt(token.uses),
    uses_left: BigInt(token.usesLeft),
    created_at_ms: BigInt(token.createdAtMs),
    expires_at_ms: BigInt(token.expiresAtMs),
    revoked_at_ms: null,
    created_by: token.createdBy,
    node_name: token.nodeName ?? null,
    specialization: token.specialization ?? null,
    visitor_network: token.visitor?.network ?? null,
    visitor_key: token.visitor?.nodeKey ?? null,
    visitor_org: token.visitor?.org ?? null,
  };
}

interface StoredToken extends Omit<ReturnType<typeof rowOf>, "revoked_at_ms" | "pool"> {
  readonly pool: string;
  readonly revoked_at_ms: bigint | null;
}

function tokenOf(row: StoredToken): JoinTokenRecord {
  return {
    id: row.id,
    pool: row.pool as PoolId,
    secretHash: row.secret_hash,
    uses: Number(row.uses),
    usesLeft: Number(row.uses_left),
    createdAtMs: Number(row.created_at_ms),
    expiresAtMs: Number(row.expires_at_ms),
    revokedAtMs: row.revoked_at_ms === null ? undefined : Number(row.revoked_at_ms),
    createdBy: row.created_by,
    nodeName: row.node_name ?? undefined,
    specialization: row.specialization ?? undefined,
    visitor: visitorOf(row),
  };
}

function visitorOf(row: StoredToken): Visitor | undefined {
  if (row.visitor_key === null) return undefined;
  const { visitor_network: network, visitor_key: nodeKey, visitor_org: org } = row;
  return { network: network ?? "", nodeKey, org: org ?? undefined };
}

function tokenUnknown(id: string): PoolError {
  return new PoolError(
    "not_found",
    "token.unknown",
    `There is no live join token ${id.slice(0, 8)}; list the tokens to see which there are.`,
  );
}
