import { create, type MessageInitShape } from "@bufbuild/protobuf";
import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import { type DatabaseKind, databases } from "#test/support/database.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { frontTerms } from "#test/support/http.ts";
import { TEST_SETTINGS } from "#test/support/registry.ts";
import type { Caller } from "@/core/caller.ts";
import { type NodeId, nodeIdOf, type PoolId } from "@/core/ids.ts";
import { enrolmentProof, parseToken, secretHash } from "@/core/token.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { openFiles } from "@/drivers/files.ts";
import { Idempotency, idempotencyMigrations } from "@/drivers/http/idempotency.ts";
import { Listeners } from "@/drivers/http/listeners.ts";
import { HttpServer } from "@/drivers/http/server.ts";
import { createPasswords } from "@/drivers/passwords.ts";
import { systemRandom } from "@/drivers/random.ts";
import { createTokens } from "@/drivers/tokens.ts";
import { Events } from "@/kernel/events.ts";
import { authorityAccess, authorityRoutes } from "@/modules/access/authority-routes.ts";
import type { JoinTokenTerms } from "@/modules/access/join-tokens.ts";
import { loginRoutes, loginRoutesAccess } from "@/modules/access/login-routes.ts";
import { createOperatorToken } from "@/modules/access/operator-token.ts";
import { keyRoutes, keyRoutesAccess } from "@/modules/access/people/key-routes.ts";
import { People, type PeopleTerms } from "@/modules/access/people/people.ts";
import { personRoutes, personRoutesAccess } from "@/modules/access/people/person-routes.ts";
import { sessionRoutes, sessionRoutesAccess } from "@/modules/access/people/session-routes.ts";
import { PEOPLE_MIGRATIONS } from "@/modules/access/people/table.ts";
import { accessRoutes, accessRoutesAccess } from "@/modules/access/routes.ts";
import { enrolmentRpcs } from "@/modules/access/rpc.ts";
import { secretRoutes, secretRoutesAccess } from "@/modules/access/secret-routes.ts";
import { Access } from "@/modules/access/service.ts";
import { ACCESS_MIGRATIONS } from "@/modules/access/table.ts";
import { TRUST_MIGRATIONS } from "@/modules/access/trust-table.ts";
import { visitorAccess, visitorRoutes } from "@/modules/access/visitor-routes.ts";
import { Audit } from "@/modules/audit/service.ts";
import { AUDIT_MIGRATIONS } from "@/modules/audit/table.ts";
import { initialise } from "@/modules/certificates/initialise.ts";
import { Authority } from "@/modules/certificates/service.ts";
import { Registry } from "@/modules/registry/service.ts";
import { REGISTRY_MIGRATIONS } from "@/modules/registry/table.ts";
import type { Database } from "@/ports/database.ts";
import type { Files } from "@/ports/files.ts";
import type { Call } from "@/ports/grpc.ts";
import {
  type EnrollReply,
  type EnrollRequest,
  EnrollRequestSchema,
  RenewRequestSchema,
} from "@/proto/enrolment_pb.ts";
import { type SigningKey, signingKey } from "@/std/crypto.ts";
import { isRefusal } from "@/std/errors.ts";

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** The operator in tests. */
export const operator: Caller = {
  type: "operator",
  id: "operator:local",
  roles: ["admin", "operator"],
};

const MIGRATIONS = [
  AUDIT_MIGRATIONS,
  REGISTRY_MIGRATIONS,
  ACCESS_MIGRATIONS,
  TRUST_MIGRATIONS,
  PEOPLE_MIGRATIONS,
];

/** The figures of people in tests; hashes take little memory, so that many can be made. */
export const PEOPLE_TERMS: PeopleTerms = {
  personsMax: 50,
  keysMax: 50,
  hashesAtOnce: 2,
  hashesWaitingMax: 64,
  oneTimeMs: 72 * HOUR_MS,
  accessMs: HOUR_MS / 4,
  refreshMs: 12 * HOUR_MS,
  session: { idleMs: HOUR_MS / 2, lifeMs: 12 * HOUR_MS, sessionsMax: 20, sessionsOfOneMax: 3 },
  login: {
    burst: { failuresMax: 5, windowMs: 30_000, blockMs: HOUR_MS / 6 },
    day: { failuresMax: 100, windowMs: DAY_MS, blockMs: DAY_MS },
    inRow: { failuresMax: 10, blockMs: HOUR_MS },
    addressesMax: 1_000,
  },
};
const PASSWORD_WORK = { memoryKib: 64, passes: 2 };

/** Areas of the real permission table that keys of tests may be limited to. */
const AREAS = ["nodes", "pools", "payouts", "tokens", "keys", "users", "auth"];

/** What outlives a restart. */
interface Place {
  readonly database: Database;
  readonly files: Files;
  readonly clock: TestClock;
  /** What was logged, as JSON lines. */
  readonly lines: string[];
}

type Parts = Awaited<ReturnType<typeof startParts>>;

/** What the modules do at a start. */
async function startParts({ database, files, clock, lines }: Place) {
  const [random, certificates, tokens] = [systemRandom(), createCertificates(), createTokens()];
  const log = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  await initialise({ files, certificates, random, nowMs: clock.now() });
  const operatorToken = createOperatorToken(files, random);
  for (const migrations of MIGRATIONS) {
    await database.migrate(migrations);
  }
  await database.migrate(idempotencyMigrations);
  const audit = new Audit(database, clock);
  const names = () => ({ dnsNames: ["pi"], ipAddresses: ["192.0.2.7"] });
  const authority = new Authority({
    files,
    certificates,
    random,
    names,
    overlapMs: 30 * 86_400_000,
  });
  await authority.ensureLeaf(clock.now());
  const parts = { database, files, clock, random, certificates, tokens, audit, authority, log };
  const settings = TEST_SETTINGS;
  const registry = await Registry.open({ ...parts, events: new Events(log), settings });
  const limits = { failuresMax: 10, windowMs: HOUR_MS, blockMs: HOUR_MS, addressesMax: 1_000 };
  const passwords = countingPasswords();
  const people = new People({
    ...parts,
    passwords,
    terms: PEOPLE_TERMS,
    areas: () => new Set(AREAS),
  });
  await people.load();
  const access = new Access({ ...parts, registry, people, limits, workBits: 6 });
  await access.load();
  return { ...parts, registry, people, passwords, access, operatorToken };
}

/** The real hashes, and how many passwords were compared with one. */
function countingPasswords() {
  const real = createPasswords(PASSWORD_WORK);
  const passwords = {
    verified: 0,
    hash: real.hash,
    verify(password: string, hash: string) {
      passwords.verified += 1;
      return real.verify(password, hash);
    },
  };
  return passwords;
}

function serve({ log, database, clock, access, people, authority, ...others }: Parts): HttpServer {
  const { registry, tokens } = others;
  const maxBodyBytes = 4_096;
  const ports = { address: "127.0.0.1", port: 0, secureAddress: "::", securePort: 0 };
  const http = new HttpServer({
    log,
    maxBodyBytes,
    listeners: new Listeners({
      front: frontTerms(clock),
      log,
      maxBodyBytes,
      idleTimeoutSeconds: 10,
      ...ports,
    }),
    idempotency: new Idempotency(database, clock, DAY_MS),
    onFatal: (fault) => {
      throw fault;
    },
  });
  http.authenticateWith((request, isSecure) => access.authenticate(request, isSecure));
  http.mount(visitorRoutes(access, http), visitorAccess);
  http.mount(accessRoutes(access, { http, registry }), accessRoutesAccess);
  http.mount(authorityRoutes(access, { http, authority }), authorityAccess);
  http.mount(personRoutes(people, http), personRoutesAccess);
  http.mount(keyRoutes(people, http), keyRoutesAccess);
  http.mount(sessionRoutes(people, http), sessionRoutesAccess);
  http.mount(secretRoutes(access, { http, authority, tokens }), secretRoutesAccess);
  http.mount(loginRoutes(access, { http, authority, tokens }), loginRoutesAccess);
  return http;
}

/** A whole pool installation without sockets: all of it is the real thing, but for the clock. */
export class AccessWorld {
  readonly #place: Place;
  readonly #parts: Parts;
  readonly http: HttpServer;

  constructor(place: Place, parts: Parts) {
    this.#place = place;
    this.#parts = parts;
    this.http = serve(parts);
  }

  static async start(place: Place): Promise<AccessWorld> {
    return new AccessWorld(place, await startParts(place));
  }

  /** The same data, started anew. */
  restarted(): Promise<AccessWorld> {
    return AccessWorld.start(this.#place);
  }

  get lines(): readonly string[] {
    return this.#place.lines;
  }

  get clock(): TestClock {
    return this.#place.clock;
  }

  get database(): Database {
    return this.#place.database;
  }

  get files(): Files {
    return this.#place.files;
  }

  get random(): Parts["random"] {
    return this.#parts.random;
  }

  get certificates(): Parts["certificates"] {
    return this.#parts.certificates;
  }

  get tokens(): Parts["tokens"] {
    return this.#parts.tokens;
  }

  get authority(): Authority {
    return this.#parts.authority;
  }

  get registry(): Registry {
    return this.#parts.registry;
  }

  get audit(): Audit {
    return this.#parts.audit;
  }

  get access(): Access {
    return this.#parts.access;
  }

  get people(): People {
    return this.#parts.people;
  }

  /** How many passwords were compared with a hash so far. */
  get verified(): number {
    return this.#parts.passwords.verified;
  }

  get operatorToken(): string {
    return this.#parts.operatorToken;
  }

  async pool(name = "home", maxNodes?: number): Promise<PoolId> {
    return (await this.registry.createPool(operator, { name, maxNodes })).id;
  }

  async token(pool: PoolId, terms: Partial<JoinTokenTerms> = {}): Promise<string> {
    return (await this.access.joinTokens.create(operator, { pool, ...terms })).text;
  }

  machine(): Machine {
    return new Machine(this);
  }

  /** A machine that has joined. */
  async member(pool: PoolId): Promise<Machine> {
    const machine = this.machine();
    await machine.enroll(await this.token(pool));
    return machine;
  }

  call(changes: Partial<Call> = {}): Call {
    return {
      caller: undefined,
      address: "192.0.2.1",
      serverLeafHash: this.authority.leafHash(),
      signal: new AbortController().signal,
      ...changes,
    };
  }

  get rpcs() {
    return enrolmentRpcs(this.access, this.authority, this.registry);
  }

  /** Asks over HTTP without a socket. */
  ask(method: string, path: string, asked: Asked = {}): Promise<Response> {
    const headers = new Headers(asked.headers);
    if (asked.as !== undefined) headers.set("authorization", `Bearer ${asked.as}`);
    if (asked.json !== undefined) headers.set("content-type", "application/json");
    const body = asked.json === undefined ? {} : { body: JSON.stringify(asked.json) };
    const host = asked.isSecure ? "https://pi:8443" : "http://localhost";
    const request = new Request(`${host}${path}`, { method, headers, ...body });
    const address = asked.address ?? "192.0.2.1";
    const origin = {
      isSecure: asked.isSecure ?? false,
      addressOf: () => address,
      keepOpen: () => {},
    };
    return this.http.answer(request, origin);
  }

  async actions(): Promise<string[]> {
    const query = this.database.sql.selectFrom("audit").select(["actor", "action", "subject"]);
    return (await query.orderBy("id").execute()).map(({ action }) => action);
  }
}

interface Asked {
  readonly as?: string;
  readonly json?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly address?: string;
  /** Over TLS, to https://pi:8443. */
  readonly isSecure?: boolean;
}

/** What a test changes of an enrolment. */
export interface EnrolChanges {
  readonly request?: MessageInitShape<typeof EnrollRequestSchema>;
  readonly call?: Partial<Call>;
  readonly secret?: string;
  /** Another pool than the token's, and proven so. */
  readonly pool?: PoolId;
}

/** A machine with a key of its own, as it speaks to the pool. */
export class Machine {
  readonly #world: AccessWorld;
  seed: Uint8Array;
  #csr: Uint8Array | undefined;
  name = "kitchen";
  specialization = "storage";

  constructor(world: AccessWorld) {
    this.#world = world;
    this.seed = world.random.bytes(32);
  }

  get key(): SigningKey {
    return signingKey(this.seed);
  }

  get id(): NodeId {
    return nodeIdOf(this.key.publicKey);
  }

  async csr(): Promise<Uint8Array> {
    this.#csr ??= await this.#world.certificates.createRequest(this.seed);
    return this.#csr;
  }

  async request(text: string, changes: EnrolChanges = {}): Promise<EnrollRequest> {
    const token = parseToken(text);
    const claim = {
      tokenId: token.id,
      csr: await this.csr(),
      nonce: this.#world.random.bytes(16),
      leafHash: this.#world.authority.leafHash(),
      nodeName: this.name,
      specialization: this.specialization,
      pool: changes.pool ?? token.pool,
    };
    const proof = enrolmentProof(secretHash(changes.secret ?? token.secret), claim);
    const { leafHash: _, pool: poolId, ...said } = claim;
    return create(EnrollRequestSchema, { ...said, poolId, proof, ...changes.request });
  }

  async enroll(text: string, changes: EnrolChanges = {}): Promise<EnrollReply> {
    const request = await this.request(text, changes);
    return this.send(request, changes.call);
  }

  send(request: EnrollRequest, call: Partial<Call> = {}): Promise<EnrollReply> {
    const { enroll } = this.#world.rpcs;
    if (!enroll) throw new Error("Enroll is served");
    return enroll(request, this.#world.call(call));
  }

  async renew(
    changes: MessageInitShape<typeof RenewRequestSchema> = {},
    call: Partial<Call> = {},
  ): Promise<EnrollReply> {
    const { renew } = this.#world.rpcs;
    if (!renew) throw new Error("Renew is served");
    const said = { csr: await this.csr(), nodeId: this.id, ...changes };
    return renew(create(RenewRequestSchema, said), this.#world.call(call));
  }

  /** Tokens over HTTP for a signed challenge. */
  async login(): Promise<{ access_token: string; refresh_token: string }> {
    return (await this.answerChallenge()).json() as never;
  }

  async answerChallenge(changes: LoginChanges = {}): Promise<Response> {
    const world = this.#world;
    const asked = { json: { node_id: changes.node ?? this.id } };
    const given = await world.ask("POST", "/api/v1/auth/challenge", asked);
    const challenge = (await given.json()) as { nonce: string; expires_at: string };
    world.clock.advance(changes.afterMs ?? 0);
    const nonce = Buffer.from(challenge.nonce, "base64");
    const expiry = Buffer.alloc(8);
    expiry.writeBigUInt64BE(BigInt(Date.parse(challenge.expires_at)));
    const installation = changes.installation ?? world.authority.installationId;
    const said = Buffer.concat([Buffer.from(`gp-login-v1${installation}`), nonce, expiry]);
    const signature = Buffer.from(this.key.sign(said)).toString("base64");
    const json = { node_id: this.id, nonce: challenge.nonce, signature, ...changes.json };
    return world.ask("POST", "/api/v1/auth/token", { json });
  }
}

interface LoginChanges {
  /** For whom the challenge is asked. */
  readonly node?: string;
  readonly afterMs?: number;
  readonly installation?: string;
  readonly json?: Readonly<Record<string, string>>;
}

/** A started world; `await using` removes it. */
export async function accessWorld(
  kind: DatabaseKind = sqlite(),
  clock = new TestClock(),
): Promise<AccessWorld & AsyncDisposable> {
  const opened = await kind.open(clock);
  const folder = temporaryFolder();
  const files = openFiles(`${folder.path}/data`);
  const world = await AccessWorld.start({ database: opened.database, files, clock, lines: [] });
  return Object.assign(world, {
    async [Symbol.asyncDispose]() {
      folder[Symbol.dispose]();
      await opened[Symbol.asyncDispose]();
    },
  });
}

function sqlite(): DatabaseKind {
  const [kind] = databases();
  if (!kind) throw new Error("there is a database");
  return kind;
}

/** The code of the refusal a promise ends in, or "allowed". */
export async function refusal(act: Promise<unknown>): Promise<string> {
  try {
    await act;
  } catch (thrown) {
    if (isRefusal(thrown)) return thrown.code;
    throw thrown;
  }
  return "allowed";
}
