import { Database } from "bun:sqlite";
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { type DescField, type DescMethod, ScalarType } from "@bufbuild/protobuf";
import { NodeProcess } from "#test/support/node-process.ts";
import { PoolProcess } from "#test/support/pool-process.ts";
import { certificates, RawNode } from "#test/support/raw-node.ts";
import type { Connection, UnaryMethod } from "@/ports/dialer.ts";
import { Enrolment } from "@/proto/enrolment_pb.ts";
import { Registry } from "@/proto/registry_pb.ts";
import { fromHex } from "@/std/bytes.ts";
import { isRefusal } from "@/std/errors.ts";

setDefaultTimeout(120_000);

let pool: PoolProcess;
let thief: NodeProcess;
let victim: NodeProcess;
let connection: Connection;
let token: string;

beforeAll(async () => {
  pool = await PoolProcess.start({ config: { access: { failures_max: 1_000 } } });
  const joined = await pool.token({ uses: 2 });
  thief = await NodeProcess.joined(pool, "thief", { token: joined });
  victim = await NodeProcess.joined(pool, "victim", { token: joined });
  const raw = new RawNode(pool, thief);
  connection = await raw.connect();
  token = await raw.accessToken();
});

afterAll(async () => {
  connection?.close();
  await pool?.[Symbol.asyncDispose]();
});

/** What is kept of the victim; whatever the thief says, it stays as it is. */
async function kept(): Promise<unknown> {
  const node = await pool.told("GET", `/api/v1/nodes/${victim.id}`);
  const { address } = await pool.told("GET", `/api/v1/payouts/${victim.id}`);
  const { last_seen: _, state: __, ...rest } = node;
  return { ...rest, address };
}

/** Everything the thief may know of the victim, as the bytes of a field. */
async function victimBytes(): Promise<readonly Uint8Array[]> {
  const raw = new RawNode(pool, victim);
  const { publicKey } = raw.key;
  return [
    publicKey,
    Buffer.from(victim.id),
    certificates.toDer(raw.identity.certificatePem),
    await certificates.createRequest(fromHex("22".repeat(32)) ?? publicKey),
  ];
}

interface Attack {
  readonly method: DescMethod;
  readonly field: DescField;
  readonly value: unknown;
}

/** Every field of a request that could hold an id or a key, filled with the victim's. */
async function attacks(): Promise<readonly Attack[]> {
  const bytes = await victimBytes();
  const methods = [...Enrolment.methods, ...Registry.methods];
  return methods.flatMap((method) =>
    method.input.fields.flatMap((field) =>
      valuesFor(field, bytes).map((value) => ({ method, field, value })),
    ),
  );
}

function valuesFor(field: DescField, bytes: readonly Uint8Array[]): readonly unknown[] {
  if (field.fieldKind === "map") return [{ node_id: victim.id }];
  if (field.fieldKind === "message") return [{ entries: { node_id: victim.id } }];
  if (field.fieldKind !== "scalar") return [];
  if (field.scalar === ScalarType.STRING) return [victim.id];
  return field.scalar === ScalarType.BYTES ? bytes : [];
}

/** What came of a call: the code of the refusal, or the answer. */
async function outcome({ method, field, value }: Attack) {
  const request = { [field.localName]: value };
  try {
    if (method.methodKind === "unary") {
      return { answer: await connection.call(method as UnaryMethod, request) };
    }
    return { code: await endOf(method, request) };
  } catch (error) {
    if (isRefusal(error)) return { kind: error.kind, code: error.code };
    throw error;
  }
}

/** How a stream ends that got this; a heartbeat is answered in-band, and a watch shows who is there. */
function endOf(method: DescMethod, request: object): Promise<string> {
  if (method.methodKind === "server_streaming") {
    const watch = connection.watch(method as never, request as never);
    return new Promise((resolve) => {
      watch.onMessage(() => watch.cancel());
      watch.onEnd((refusal) => resolve(refusal?.code ?? "ended"));
    });
  }
  const stream = connection.stream(method as never);
  return new Promise((resolve) => {
    stream.onMessage((message) => {
      resolve(String((message as { outcome?: { case?: string } }).outcome?.case));
      stream.cancel();
    });
    stream.onEnd((refusal) => resolve(refusal?.code ?? "ended"));
    stream.send(request as never);
  });
}

function auditRows(where: string): readonly { actor: string; subject: string; detail: string }[] {
  using database = new Database(join(pool.dataDir, "pool.db"), { readonly: true });
  return database.query(`SELECT actor, subject, detail FROM audit WHERE ${where}`).all() as never;
}

describe("a node that names another one", () => {
  test("in any field of any RPC acts for itself or is refused, and never for the other", async () => {
    const before = await kept();
    const tried = await attacks();
    expect(tried.length).toBeGreaterThan(40);
    for (const attack of tried) expectNotTheVictim(attack, await outcome(attack));
    expect(await kept()).toEqual(before);
    const acted = auditRows(`subject = '${victim.id}' AND actor = '${thief.id}'`);
    expect(acted).toEqual([]);
  });

  test("in any path or body of any route is refused, or told what anybody may know", async () => {
    const before = await kept();
    const document = await pool.told("GET", "/openapi.json");
    const open = new Set<string>();
    const denied: string[] = [];
    for (const { method, path, body } of requestsIn(document)) {
      const { status } = await pool.ask(method, path, body, { authorization: `Bearer ${token}` });
      const line = `${method} ${path.replace(victim.id, "{node_id}").split("?")[0]}`;
      expect([line, status < 500]).toEqual([line, true]);
      if (status === 403 || status === 404) denied.push(line);
      if (status < 300 && path.includes(victim.id)) open.add(line);
    }
    expect(await kept()).toEqual(before);
    expect([...open].filter((line) => !line.startsWith("GET "))).toEqual([]);
    expect(denied.length).toBeGreaterThan(5);
    expect(denied.some((line) => line.startsWith("DELETE /api/v1/nodes/"))).toBe(true);
    expect(denied.some((line) => line.includes("payout-address"))).toBe(true);
    const acted = auditRows(`subject = '${victim.id}' AND actor = '${thief.id}'`);
    expect(acted).toEqual([]);
  });

  test("is in the audit with what it was refused", async () => {
    expect(await pool.stop()).toBe(0); // Refusals that are alike share a row, written now and then.
    const rows = auditRows(`action = 'request.refused' AND actor = '${thief.id}'`);
    const refused = rows.map(({ subject }) => subject);
    for (const place of ["UpdateNode", "DeregisterNode", "Renew", "DELETE /api/v1/nodes/"]) {
      expect([place, refused.some((subject) => subject.includes(place))]).toEqual([place, true]);
    }
  });
});

/** Naming another node is refused; where that is no name of a node, the answer is about the caller. */
function expectNotTheVictim({ method, field }: Attack, got: Awaited<ReturnType<typeof outcome>>) {
  const place = `${method.name}.${field.name}`;
  if (method.name === "GetNode") return; // Who is in the pool is no secret in it.
  if (field.name === "node_id") {
    expect([place, got]).toEqual([place, { kind: "denied", code: "access.denied" }]);
  }
  const { nodeId } = ("answer" in got ? got.answer : {}) as { nodeId?: string };
  expect([place, nodeId ?? thief.id]).toEqual([place, thief.id]);
}

interface Operation {
  readonly requestBody?: {
    readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
  };
}
interface Schema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
}

/** Every operation once with the victim in its path, its query and each text of its body. */
function requestsIn(document: {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}) {
  return Object.entries(document.paths)
    .filter(([path]) => path.startsWith("/api/v1/") && !/events|stream|auth\//.test(path))
    .flatMap(([template, operations]) =>
      Object.entries(operations).map(([method, { requestBody }]) => {
        const path = template.replaceAll(/\{[^}]+\}/g, victim.id);
        const query = method === "get" ? `?node=${victim.id}` : "";
        const schema = requestBody?.content?.["application/json"]?.schema;
        const body = schema && bodyOf(schema);
        return { method: method.toUpperCase(), path: path + query, body };
      }),
    );
}

function bodyOf({ properties = {} }: Schema): object {
  const texts = Object.entries(properties).filter(([, { type }]) => type === "string");
  return Object.fromEntries(texts.map(([name]) => [name, victim.id]));
}
