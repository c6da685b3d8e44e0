import { type Caller, denied, hasRole, nodeCaller } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import { requireWelcome } from "@/core/node.ts";
import { isInScope, outOfScope } from "@/core/scope.ts";
import { sessionIn } from "@/core/session.ts";
import type { ModuleContext } from "@/kernel/module.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Certificates } from "@/ports/certificates.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Database, Write } from "@/ports/database.ts";
import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import type { Tokens } from "@/ports/tokens.ts";
import { sameBytes } from "@/std/bytes.ts";
import { isRefusal } from "@/std/errors.ts";
import { AccessTokens } from "./access-tokens.ts";
import { Enrolment, type EnrolmentRequest } from "./enrolment.ts";
import { FailureLimit, type FailureTerms } from "./failure-limit.ts";
import type { Enrolled } from "./issuing.ts";
import { JoinTokens } from "./join-tokens.ts";
import { NodeKeys } from "./node-keys.ts";
import { type Grant, NodeLogins } from "./node-logins.ts";
import { NodeTrust } from "./node-trust.ts";
import { OperatorToken } from "./operator-token.ts";
import type { People } from "./people/people.ts";
import type { PersonLogins } from "./people/person-logins.ts";
import type { Proof } from "./people/sign-in.ts";
import type { PoolTime } from "./pool-time.ts";
import { badCredentials, certificateRefused } from "./refusals.ts";
import { Renewal, type RenewalRequest } from "./renewal.ts";
import { Rotation } from "./rotation.ts";
import { type Visit, Visitors } from "./visitors.ts";

const SLOT_SECONDS = 30;
const ENROLMENTS = "/api/v1/enrolments";
const BEARER = /^bearer +(\S+)$/i;

/** What access works with. */
export interface AccessParts {
  /** The work asked of strangers, in leading zero bits, while the pool is not busy. */
  readonly workBits: number;
  readonly database: Database;
  readonly clock: Clock;
  readonly random: Random;
  readonly files: Files;
  readonly certificates: Certificates;
  readonly tokens: Tokens;
  readonly audit: Audit;
  readonly authority: Authority;
  readonly registry: Registry;
  readonly people: People;
  readonly log: ModuleContext<unknown>["log"];
  readonly limits: FailureTerms;
}

/** One kind of credential a request may carry; the first that recognises it decides. */
interface CredentialKind {
  recognises(secret: string): boolean;
  callerOf(secret: string): Caller | undefined | Promise<Caller | undefined>;
}

/** Says who calls, and lets machines in that prove they may. */
export class Access {
  readonly joinTokens: JoinTokens;
  /** Lets strangers into public pools. */
  readonly visitors: Visitors;
  /** Replaces the root of the installation. */
  readonly rotation: Rotation;
  readonly #parts: AccessParts;
  readonly #operator: OperatorToken;
  readonly #logins: NodeLogins;
  readonly #accessTokens: AccessTokens;
  readonly #keys: NodeKeys;
  readonly #trust: NodeTrust;
  readonly #enrolment: Enrolment;
  readonly #renewal: Renewal;
  readonly #enrolmentLimit: FailureLimit;
  readonly #loginLimit: FailureLimit;
  readonly #kinds: readonly CredentialKind[];
  #time: () => PoolTime;

  constructor(parts: AccessParts) {
    const { clock, database, registry } = parts;
    this.#parts = parts;
    this.#time = () => timeOf(clock.now());
    const time = () => this.#time();
    const pin = () => parts.authority.pin;
    this.joinTokens = new JoinTokens({ ...parts, pin, nowMs: () => time().nowMs });
    this.visitors = new Visitors({
      ...parts,
      joinTokens: this.joinTokens,
      workBits: parts.workBits,
      time,
    });
    this.#operator = new OperatorToken(parts.files);
    this.#logins = new NodeLogins({ ...parts, findNode: (id) => registry.findNode(id) });
    this.#keys = new NodeKeys(database);
    this.#trust = new NodeTrust(database);
    this.rotation = new Rotation({ ...parts, trust: this.#trust, time });
    const issuing = { ...parts, keys: this.#keys, time };
    this.#enrolment = new Enrolment({ ...issuing, joinTokens: this.joinTokens });
    this.#renewal = new Renewal(issuing);
    this.#enrolmentLimit = new FailureLimit(clock, parts.limits);
    this.#loginLimit = new FailureLimit(clock, parts.limits);
    this.#accessTokens = new AccessTokens(parts);
    this.#kinds = [
      this.#operator,
      parts.people.keys,
      accessTokens((token) => this.#callerOfToken(token)),
    ];
  }

  /** What must be known before the first request; a root rotation that was cut off is ended. */
  async load(): Promise<void> {
    await this.#logins.load();
    await this.#trust.load();
    await this.rotation.resume();
  }

  /** Who keeps the pool's time says what it is, and whether it is to be trusted. */
  keepTimeWith(time: () => PoolTime): void {
    this.#time = time;
    this.#parts.authority.trustClockWhen(() => time().trusted);
  }

  /** The pool's time as access knows it. */
  time(): PoolTime {
    return this.#time();
  }

  /** Who makes an HTTP request: undefined without credentials, refused with bad ones. */
  async authenticate(request: Request, isSecure = false): Promise<Caller | undefined> {
    const secret = secretIn(request.headers);
    if (secret === undefined) return isSecure ? this.#callerOfSession(request) : undefined;
    const kind = this.#kinds.find((known) => known.recognises(secret));
    const caller = await kind?.callerOf(secret);
    if (!caller) throw badCredentials();
    return caller;
  }

  /** Which node a client certificate stands for; its key must be the one registered now. */
  callerOfCertificate(certificate: Uint8Array): Caller {
    const { authority, registry } = this.#parts;
    const identity = authority.nodeOf(certificate);
    const node = identity && registry.findNode(identity.node);
    if (!identity || !node) throw certificateRefused();
    if (!sameBytes(identity.publicKey, node.publicKey)) throw certificateRefused();
    if (this.#time().nowMs >= identity.notAfterMs) throw certificateRefused();
    requireWelcome(node);
    return nodeCaller(node.id, identity.hash);
  }

  /** Makes a node of a machine that proves to know a join token. */
  async enroll(address: string, request: EnrolmentRequest): Promise<Enrolled> {
    const enroll = () => this.#enrolment.enroll(request);
    const enrolled = await this.#limited(this.#enrolmentLimit, address, enroll);
    await this.rotation.joined(enrolled.node.id);
    return enrolled;
  }

  /** What is kept of the certificate of a node that is forgotten goes with it. */
  forgetCertificate(node: NodeId): Write {
    const query = this.#parts.database.sql.deleteFrom("node_certificate").where("node", "=", node);
    return { query: query.compile() };
  }

  /** A join token of a public pool for a stranger who worked for it. */
  tokenForWork(visit: Visit, solution: Parameters<Visitors["tokenForWork"]>[1]) {
    const give = () => this.visitors.tokenForWork(visit, solution);
    return this.#limited(this.#enrolmentLimit, visit.address, give);
  }

  /** The same for who has an API key that may do it; a wrong key counts against its address. */
  tokenForKey(visit: Visit & { readonly pool: string | undefined }, key: string) {
    return this.#limited(this.#enrolmentLimit, visit.address, async () => {
      const headers = { "x-api-key": key };
      const caller = await this.authenticate(new Request("https://pool/", { headers }));
      if (!caller) throw badCredentials();
      if (!isInScope(caller, "POST", ENROLMENTS)) throw outOfScope("POST", ENROLMENTS);
      if (!hasRole(caller, "admin", "operator", "client")) throw denied("enrol nodes");
      return this.visitors.tokenForCaller(caller, visit);
    });
  }

  /** Renews a node's certificate, for the caller or for who signs with the registered key. */
  async renew(
    address: string,
    caller: Caller | undefined,
    request: RenewalRequest,
  ): Promise<Enrolled> {
    const renew = () => this.#renewal.renew(caller, request);
    const renewed = await this.#limited(this.#enrolmentLimit, address, renew);
    await this.rotation.said(renewed.node.id, request.trustedPin);
    return renewed;
  }

  /** Something for a node to sign. */
  challenge(node: string): { readonly nonce: Uint8Array; readonly expiresAtMs: number } {
    return this.#logins.challenge(node);
  }

  /** Tokens for a signed challenge. */
  login(address: string, node: string, answer: LoginAnswer): Promise<Grant> {
    const { nonce, signature } = answer;
    const login = () => this.#logins.login(node, nonce, signature);
    return this.#limited(this.#loginLimit, address, login);
  }

  /** Tokens for a password. */
  async loginWithPassword(address: string, proof: Proof): Promise<Grant> {
    const { signIn, logins } = this.#parts.people;
    return logins.begin(await signIn.prove(address, proof));
  }

  /** Tokens for an API key. */
  async loginWithKey(address: string, text: string): Promise<Grant> {
    const { signIn, logins } = this.#parts.people;
    return logins.beginWithKey(await signIn.proveKey(address, text));
  }

  /** Another password, for the one before. */
  choosePassword(address: string, proof: Proof, chosen: string): Promise<void> {
    return this.#parts.people.signIn.choose(address, proof, chosen);
  }

  /** The next tokens of a login. */
  refresh(address: string, token: string): Promise<Grant> {
    return this.#limited(this.#loginLimit, address, () => this.#loginsOf(token).refresh(token));
  }

  /** Ends a login. */
  revoke(token: string): Promise<void> {
    return this.#loginsOf(token).revoke(token);
  }

  /** When a node last changed its key, if it ever did: payouts wait a day after it. */
  rotatedAtMs(node: NodeId): Promise<number | undefined> {
    return this.#keys.rotatedAtMs(node);
  }

  /** Replaces the operator's token in its file; the one before is dead when this answers. */
  async rotateOperatorToken(caller: Caller, beside: readonly Write[]): Promise<void> {
    const { database, audit, random } = this.#parts;
    await database.commit([
      audit.row(caller, "operator_token.rotated", "operator:local"),
      ...beside,
    ]);
    this.#operator.rotate(random);
  }

  /** Replaces the key that signs access tokens. */
  async rotateJwtKey(caller: Caller): Promise<void> {
    const { database, audit, authority } = this.#parts;
    authority.requireJwtRotatable(this.#time().nowMs);
    await database.commit([audit.row(caller, "jwt_key.rotated", "jwt")]);
    authority.rotateJwtKey(this.#time().nowMs);
  }

  /** Reads the operator's token again; while its file is not good, the one before holds. */
  reload(): void {
    try {
      this.#operator.reload();
    } catch (error) {
      this.#parts.log.error({ err: error }, "the operator's token was not read again");
    }
  }

  /** How many addresses are kept out because too much from them has failed. */
  blockedCount(): number {
    return (
      this.#enrolmentLimit.blockedCount() +
      this.#loginLimit.blockedCount() +
      this.#parts.people.signIn.blockedCount()
    );
  }

  /** A cookie of a session that ended is no credential at all: its page shows where to sign in. */
  #callerOfSession(request: Request): Caller | undefined {
    const session = sessionIn(request.headers.get("cookie"));
    return session === undefined ? undefined : this.#parts.people.sessions.callerOf(session);
  }

  #loginsOf(refreshToken: string): NodeLogins | PersonLogins {
    const { logins } = this.#parts.people;
    return logins.recognises(refreshToken) ? logins : this.#logins;
  }

  /** Nodes are named by an id, people and keys by a kind before theirs. */
  async #callerOfToken(token: string): Promise<Caller | undefined> {
    const claims = await this.#accessTokens.claimsIn(token);
    if (claims.subject.includes(":")) return this.#parts.people.logins.callerOf(claims);
    return this.#logins.callerOf(claims);
  }

  async #limited<T>(limit: FailureLimit, address: string, act: () => Promise<T>): Promise<T> {
    limit.require(address);
    try {
      return await act();
    } catch (error) {
      const isProofFailed = isRefusal(error) && error.kind === "unauthenticated";
      if (isProofFailed && limit.failed(address)) {
        this.#parts.log.warn({ address }, "an address is blocked after too many failed proofs");
      }
      throw error;
    }
  }
}

/** What a node answers to a challenge. */
export interface LoginAnswer {
  readonly nonce: Uint8Array;
  readonly signature: Uint8Array;
}

/** Access tokens; they come last, for they have no prefix of their own. */
function accessTokens(callerOf: (token: string) => Promise<Caller | undefined>): CredentialKind {
  return { recognises: (secret) => secret.split(".").length === 3, callerOf };
}

/** The credential of a request: a bearer token, else an API key. */
function secretIn(headers: Headers): string | undefined {
  const authorization = headers.get("authorization");
  if (authorization === null) return headers.get("x-api-key") ?? undefined;
  const bearer = BEARER.exec(authorization)?.[1];
  if (bearer === undefined) throw badCredentials();
  return bearer;
}

/** The wall clock as pool time, until somebody keeps it better. */
function timeOf(nowMs: number): PoolTime {
  const slot = Math.floor(nowMs / 1000 / SLOT_SECONDS);
  return { nowMs, slot, slotSeconds: SLOT_SECONDS, trusted: true };
}
