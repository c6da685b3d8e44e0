import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { certificates, dialer } from "#test/support/grpc.ts";
import { keyNumber } from "#test/support/registry.ts";
import { sampleOf } from "#test/support/sample.ts";
import { type WholePool, wholePool } from "#test/support/whole-pool.ts";
import { type Caller, nodeCaller, type Role } from "@/core/caller.ts";
import type { Node } from "@/core/node.ts";
import type { Pool } from "@/core/pool.ts";
import type { CertificatePair } from "@/ports/certificates.ts";
import type { Connection } from "@/ports/dialer.ts";
import { Enrolment } from "@/proto/enrolment_pb.ts";
import { Registry as RegistryService } from "@/proto/registry_pb.ts";
import { signingKey } from "@/std/crypto.ts";
import { isRefusal } from "@/std/errors.ts";

setDefaultTimeout(60_000);

/** What nobody outside may read anywhere. */
const SECRETS = { name: "undisclosed", org: "secret-society", node: "whisperer" };
const UNKNOWN = "a".repeat(26);
const ROLES: readonly Role[] = ["admin", "operator", "client", "auditor"];
const NODE_SEED = new Uint8Array(32).fill(5);

let pool: WholePool;
let hidden: Pool;
let hiddenNode: Node;
let own: Pool;
let ownNode: Node;
let hiddenToken: string;
let connection: Connection;

/** Foreign callers: every role of another organization, a client of none, and a node of elsewhere. */
const FOREIGN = [...ROLES.map((role) => `foreign ${role}`), "nobody's client", "foreign node"];

beforeAll(async () => {
  pool = await wholePool();
  const registry = pool.kernel.service("registry");
  const system = { type: "system", id: "system:test", roles: [] } as const;
  const { name, org } = SECRETS;
  hidden = await registry.createPool(system, { name, org, allowedOrgs: [org] });
  own = await registry.createPool(system, { name: "theirs", org: "other" });
  await registry.createPool(system, { name: "open", visibility: "public" });
  const profile = { specialization: "storage", pool: hidden.id, publicKey: keyNumber(1), org };
  hiddenNode = await registry.admit(system, { ...profile, name: SECRETS.node });
  const { publicKey } = signingKey(NODE_SEED);
  const theirs = { name: "theirs", specialization: "storage", pool: own.id, publicKey };
  ownNode = await registry.admit(system, theirs);
  hiddenToken = (await pool.kernel.service("access").joinTokens.create(system, { pool: hidden.id }))
    .token.id;
  for (const role of ROLES) {
    const foreign: Caller = { type: "user", id: `user:${role}`, roles: [role], org: "other" };
    pool.callers.set(`foreign ${role}`, foreign);
    pool.callers.set(`own ${role}`, { ...foreign, id: `user:own-${role}`, org: SECRETS.org });
  }
  pool.callers.set("nobody's client", { type: "key", id: "key:1", roles: ["client"] });
  pool.callers.set("foreign node", nodeCaller(ownNode.id));
  pool.callers.set("operator", {
    type: "operator",
    id: "operator:local",
    roles: ["admin", "operator"],
  });
  connection = await connected();
});

afterAll(async () => {
  connection.close();
  await pool[Symbol.asyncDispose]();
});

async function connected(): Promise<Connection> {
  const authority = pool.kernel.service("authority");
  const nowMs = Date.now();
  const issued = await authority.issueNode(ownNode.id, ownNode.publicKey, nowMs);
  const identity: CertificatePair = {
    certificatePem: certificates.toPem(issued.certificate),
    privateKeyPem: certificates.privateKeyPem(NODE_SEED),
  };
  const address = pool.kernel.service("grpc").address();
  return dialer.connect(address, { rootPem: authority.rootPem, identity, nowMs });
}

interface Operation {
  readonly "x-roles": "anyone" | readonly Role[];
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { schema: unknown }>> };
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: unknown;
}

/** One way of naming something in a request: `METHOD path` and where. */
interface Naming {
  readonly method: string;
  readonly path: string;
  readonly operation: Operation;
  readonly word: string;
  readonly place: "path" | "query" | "body";
}

const KINDS: Readonly<Record<string, "pool" | "node" | "token">> = {
  pool: "pool",
  pool_id: "pool",
  node: "node",
  node_id: "node",
  token_id: "token",
};

async function operations() {
  const answer = await pool.ask("operator", "GET", "/openapi.json");
  const { paths } = (await answer.json()) as {
    paths: Record<string, Record<string, Operation>>;
  };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  );
}

/** Every way in which any route of the permission table names a pool, a node or a token. */
async function namings(): Promise<readonly Naming[]> {
  const known = new Set(pool.server.permissions().map(({ method, path }) => `${method} ${path}`));
  return (await operations()).flatMap(({ method, path, operation }) => {
    expect(known).toContain(`${method} ${path.replace(/\{(\w+)\}/g, ":$1")}`);
    const words = (operation.parameters ?? [])
      .filter(({ name, in: place }) => name in KINDS && place !== "header")
      .map(({ name, in: place }) => ({ word: name, place: place as Naming["place"] }));
    const inBody = Object.keys(propertiesOf(operation))
      .filter((name) => name in KINDS)
      .map((word) => ({ word, place: "body" as const }));
    return [...words, ...inBody].map((naming) => ({ method, path, operation, ...naming }));
  });
}

// biome-ignore lint/suspicious/noExplicitAny: a JSON schema may be anything
function bodySchema(operation: Operation): any {
  return operation.requestBody?.content?.["application/json"]?.schema;
}

function propertiesOf(operation: Operation): Readonly<Record<string, unknown>> {
  const schema = bodySchema(operation);
  return schema?.properties ?? schema?.anyOf?.[0]?.properties ?? {};
}

/** What a foreign caller may name. */
function usual(name: string): string {
  if (KINDS[name] === "pool") return own.id;
  return KINDS[name] === "node" ? ownNode.id : "1";
}

/** The request that names `id` in one place; everywhere else it names what the caller may know. */
function requestFor(naming: Naming, id: string) {
  const { path, operation, word, place } = naming;
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(place === "path" && name === word ? id : usual(name)),
  );
  const query = queryFor(naming, id);
  const schema = bodySchema(operation);
  const sample = schema && (sampleOf(schema) as Record<string, unknown>);
  const body = place === "body" ? { ...sample, [word]: id } : sample;
  return { path: query.size > 0 ? `${filled}?${query}` : filled, body };
}

function queryFor({ operation, word, place }: Naming, id: string): URLSearchParams {
  const query = new URLSearchParams();
  const asked = (operation.parameters ?? []).filter(({ in: where }) => where === "query");
  for (const { name, required, schema } of asked) {
    if (place === "query" && name === word) query.set(name, id);
    else if (required) query.set(name, name in KINDS ? usual(name) : String(sampleOf(schema)));
  }
  return query;
}

function idsOf(word: string): readonly [string, string] {
  if (KINDS[word] === "pool") return [hidden.id, UNKNOWN];
  if (KINDS[word] === "node") return [hiddenNode.id, UNKNOWN];
  return [hiddenToken, "a".repeat(hiddenToken.length)];
}

/** All that is answered but what is new each time, with the id asked for left out. */
async function answerOf(caller: string, naming: Naming, id: string) {
  const { path, body } = requestFor(naming, id);
  const answer = await pool.ask(caller, naming.method, path, body);
  const text = (await answer.text())
    .replace(/"(instance|nonce|challenge|expires_at)":"[^"]*"/g, "$1")
    .replaceAll(id, "ID");
  return { status: answer.status, headers: [...answer.headers.entries()], text };
}

/** What is answered about what is hidden, and about what is not there. */
async function compared(caller: string, naming: Naming) {
  const [secret, unknown] = idsOf(naming.word);
  const about = `${caller}: ${naming.method} ${naming.path} (${naming.place} ${naming.word})`;
  const answers = await answerOf(caller, naming, secret);
  expect({ about, ...answers }).toEqual({ about, ...(await answerOf(caller, naming, unknown)) });
  if (naming.operation["x-roles"] === "anyone") return;
  expect([about, answers.status >= 400]).toEqual([about, true]);
}

/** The secrets in the answer to a request that names nothing; undefined for a refusal. */
async function secretsTold(
  caller: string,
  { method, path, operation }: Pick<Naming, "method" | "path" | "operation">,
) {
  const secrets = [hidden.id, hiddenNode.id, hiddenToken, ...Object.values(SECRETS)];
  const asked = requestFor({ method, path, operation, word: "", place: "path" }, "");
  const answer = await pool.ask(caller, method, asked.path);
  const text = await answer.text();
  const found = secrets.filter((secret) => text.includes(secret));
  expect({ caller, path, found }).toEqual({ caller, path, found: [] });
  return answer.status;
}

describe("what a private pool has", () => {
  test("is answered to foreign callers, on every route, like what does not exist", async () => {
    const asked = await namings();
    for (const caller of FOREIGN) for (const naming of asked) await compared(caller, naming);
    expect(asked.length).toBeGreaterThan(30);
  });

  test("stands in no list and no figure a foreign caller gets", async () => {
    const lists = (await operations()).filter(
      ({ method, path }) => method === "GET" && !path.includes("{"),
    );
    const statuses: number[] = [];
    for (const list of lists) {
      for (const caller of FOREIGN) statuses.push(await secretsTold(caller, list));
    }
    expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(20);
  });

  test("is there for its own organization and for the operator", async () => {
    for (const caller of ["own admin", "own operator", "own auditor", "own client", "operator"]) {
      for (const path of [`pools/${hidden.id}`, `nodes/${hiddenNode.id}`]) {
        const answer = await pool.ask(caller, "GET", `/api/v1/${path}`);
        expect([caller, path, answer.status]).toEqual([caller, path, 200]);
      }
      const list = await (await pool.ask(caller, "GET", "/api/v1/nodes")).text();
      expect([caller, list.includes(hiddenNode.id)]).toEqual([caller, true]);
    }
    const money = await pool.ask("own auditor", "GET", `/api/v1/payouts/${hiddenNode.id}`);
    expect(money.status).toBe(200);
  });

  test("is answered to foreign nodes, by every method of gRPC, like what does not exist", async () => {
    const asked = [RegistryService, Enrolment].flatMap(({ methods }) =>
      methods.flatMap((method) =>
        method.input.fields
          .filter(({ name }) => name in KINDS)
          .map(({ name, localName }) => ({ method, name, localName })),
      ),
    );
    for (const { method, name, localName } of asked) {
      const [secret, unknown] = idsOf(name);
      const [ours, theirs] = [
        await refusalOf(method as never, localName, secret),
        await refusalOf(method as never, localName, unknown),
      ];
      expect([method.name, name, ours]).toEqual([method.name, name, theirs]);
    }
    expect(asked.length).toBeGreaterThanOrEqual(6);
    const { nodes } = await connection.call(RegistryService.method.listNodes, {});
    expect(nodes.map(({ nodeId }) => nodeId)).toEqual([ownNode.id]);
  });
});

async function refusalOf(
  method: typeof RegistryService.method.getNode,
  word: string,
  id: string,
): Promise<string> {
  try {
    const reply = await connection.call(method, { [word]: id });
    return `allowed ${reply.$typeName}`;
  } catch (thrown) {
    if (!isRefusal(thrown)) throw thrown;
    const { kind, code, message, details } = thrown;
    return JSON.stringify([kind, code, message, details]).replaceAll(id, "ID");
  }
}
