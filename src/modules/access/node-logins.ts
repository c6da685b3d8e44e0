import { type Caller, nodeCaller } from "@/core/caller.ts";
import { isId, type NodeId } from "@/core/ids.ts";
import { loginMessage } from "@/core/login.ts";
import type { Node } from "@/core/node.ts";
import { requireWelcome } from "@/core/node.ts";
import { SECRET_BYTES, secretHash, secretOf } from "@/core/token.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database, Write } from "@/ports/database.ts";
import type { Random } from "@/ports/random.ts";
import type { AccessClaims, Tokens } from "@/ports/tokens.ts";
import { sameBytes, toBase32 } from "@/std/bytes.ts";
import { verifySignature } from "@/std/crypto.ts";
import { isRefusal } from "@/std/errors.ts";
import { Challenges } from "./challenges.ts";
import { badCredentials } from "./refusals.ts";

const MINUTE_MS = 60_000;
const ACCESS_MS = 15 * MINUTE_MS;
const REFRESH_MS = 12 * 60 * MINUTE_MS;
const REFRESH_SHAPE = /^gpr_[a-z2-7]{26}$/;

/** What a node gets for a good answer. */
export interface Grant {
  readonly accessToken: string;
  readonly refreshToken: string;
  readonly expiresInSeconds: number;
  readonly refreshExpiresInSeconds: number;
}

/** What the logins work with. */
export interface NodeLoginParts {
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly audit: Audit;
  readonly authority: Authority;
  readonly tokens: Tokens;
  readonly findNode: (id: NodeId) => Node | undefined;
}

interface Login {
  readonly id: string;
  readonly node: Node;
}

/** Nodes over HTTP: a signed challenge for a short access token, and single-use refresh tokens. */
export class NodeLogins {
  readonly #parts: NodeLoginParts;
  readonly #challenges: Challenges;
  /** Logins ended lately, with the time after which none of their access tokens lives. */
  readonly #ended = new Map<string, number>();

  constructor(parts: NodeLoginParts) {
    this.#parts = parts;
    this.#challenges = new Challenges(parts.random);
  }

  /** Remembers after a start which logins were ended while their access tokens still live. */
  async load(): Promise<void> {
    const since = BigInt(this.#now() - 2 * ACCESS_MS);
    const rows = await this.#parts.database.sql
      .selectFrom("refresh_token")
      .select(["login"])
      .distinct()
      .where("revoked_at_ms", ">", since)
      .execute();
    for (const { login } of rows) this.#ended.set(login, this.#now() + 2 * ACCESS_MS);
  }

  /** Something to sign. Anybody gets one for any node, so it tells nothing. */
  challenge(node: string): { readonly nonce: Uint8Array; readonly expiresAtMs: number } {
    return this.#challenges.issue(node, this.#now());
  }

  /** A grant for a challenge signed with the node's registered key. */
  async login(node: string, nonce: Uint8Array, signature: Uint8Array): Promise<Grant> {
    const expiresAtMs = this.#challenges.expiryOf(node, nonce, this.#now());
    const known = isId(node) ? this.#parts.findNode(node as NodeId) : undefined;
    const { installationId } = this.#parts.authority;
    if (expiresAtMs === undefined || !known) throw badCredentials();
    const message = loginMessage({ installationId, nonce, expiresAtMs });
    if (!verifySignature(known.publicKey, message, signature)) throw badCredentials();
    if (!this.#challenges.use(nonce, this.#now())) throw badCredentials();
    requireWelcome(known);
    const login = { id: toBase32(this.#parts.random.bytes(10)), node: known };
    return this.#grant(login, "login.started", [this.#forgetOld()]);
  }

  /** The next grant of a login. A refresh token that comes twice was stolen: its login ends. */
  async refresh(token: string): Promise<Grant> {
    const row = await this.#refreshRow(token);
    if (!row) throw badCredentials();
    if (row.revoked_at_ms !== null || this.#now() >= row.expires_at_ms) throw badCredentials();
    if (row.used_at_ms !== null) {
      await this.#endReused(row.login, row.node as NodeId);
      throw badCredentials();
    }
    const node = this.#parts.findNode(row.node as NodeId);
    if (!node || !sameBytes(row.node_key, node.publicKey)) throw badCredentials();
    requireWelcome(node);
    try {
      return await this.#grant({ id: row.login, node }, "login.refreshed", [this.#use(row.hash)]);
    } catch (error) {
      if (isRefusal(error) && error.code === badCredentials().code) {
        await this.#endReused(row.login, node.id);
      }
      throw error;
    }
  }

  /** Ends the login a refresh token belongs to; an unknown one, or one that ended, changes nothing. */
  async revoke(token: string): Promise<void> {
    const row = await this.#refreshRow(token);
    if (row?.revoked_at_ms === null)
      await this.#end(row.login, nodeCaller(row.node as NodeId), "login.ended");
  }

  /** Whom an access token stands for now; refuses nodes that were suspended or removed. */
  callerOf(claims: AccessClaims): Caller {
    if (claims.role !== "node" || !isId(claims.subject)) throw badCredentials();
    const node = this.#parts.findNode(claims.subject as NodeId);
    if (!node || this.#ended.has(claims.login)) throw badCredentials();
    if (claims.nodeKey !== toBase32(node.publicKey)) throw badCredentials();
    requireWelcome(node);
    return nodeCaller(node.id);
  }

  async #grant(login: Login, action: string, before: readonly Write[]): Promise<Grant> {
    const { database, audit, random } = this.#parts;
    const refreshToken = `gpr_${secretOf(random.bytes(SECRET_BYTES))}`;
    const row = {
      hash: secretHash(refreshToken),
      login: login.id,
      node: login.node.id,
      node_key: login.node.publicKey,
      expires_at_ms: BigInt(this.#now() + REFRESH_MS),
      used_at_ms: null,
      revoked_at_ms: null,
    };
    await database.commit([
      ...before,
      { query: database.sql.insertInto("refresh_token").values(row).compile(), rows: 1 },
      audit.row(nodeCaller(login.node.id), action, login.node.id, { login: login.id }),
    ]);
    return {
      accessToken: this.#accessToken(login),
      refreshToken,
      expiresInSeconds: ACCESS_MS / 1000,
      refreshExpiresInSeconds: REFRESH_MS / 1000,
    };
  }

  #accessToken({ id, node }: Login): string {
    const { authority, tokens, random } = this.#parts;
    return tokens.sign(authority.jwtKey(), {
      issuer: authority.installationId,
      subject: node.id,
      role: "node",
      id: toBase32(random.bytes(10)),
      login: id,
      nodeKey: toBase32(node.publicKey),
      issuedAtMs: this.#now(),
      expiresAtMs: this.#now() + ACCESS_MS,
    });
  }

  async #refreshRow(token: string) {
    if (!REFRESH_SHAPE.test(token)) return undefined;
    const query = this.#parts.database.sql.selectFrom("refresh_token").selectAll();
    const [row] = await query.where("hash", "=", secretHash(token)).execute();
    return row;
  }

  /** Uses a refresh token up, unless it was used or revoked meanwhile. */
  #use(hash: Uint8Array): Write {
    const query = this.#parts.database.sql
      .updateTable("refresh_token")
      .set({ used_at_ms: BigInt(this.#now()) })
      .where("hash", "=", hash)
      .where("used_at_ms", "is", null)
      .where("revoked_at_ms", "is", null);
    return { query: query.compile(), rows: 1, refusal: badCredentials() };
  }

  #endReused(login: string, node: NodeId): Promise<void> {
    return this.#end(login, nodeCaller(node), "login.reused");
  }

  async #end(login: string, caller: Caller, action: string): Promise<void> {
    const { database, audit } = this.#parts;
    const query = database.sql
      .updateTable("refresh_token")
      .set({ revoked_at_ms: BigInt(this.#now()) })
      .where("login", "=", login)
      .where("revoked_at_ms", "is", null);
    await database.commit([
      { query: query.compile() },
      audit.row(caller, action, caller.id, { login }),
    ]);
    this.#forgetEnded();
    this.#ended.set(login, this.#now() + 2 * ACCESS_MS);
  }

  #forgetEnded(): void {
    for (const [login, untilMs] of this.#ended) {
      if (untilMs < this.#now()) this.#ended.delete(login);
    }
  }

  #forgetOld(): Write {
    const query = this.#parts.database.sql.deleteFrom("refresh_token");
    return { query: query.where("expires_at_ms", "<", BigInt(this.#now())).compile() };
  }

  #now(): number {
    return this.#parts.clock.now();
  }
}
