// biome-ignore-all lint/suspicious/noExplicitAny: the document may be anything
import Ajv2020, { type ValidateFunction } from "ajv/dist/2020.js";
import { type Caller, nodeCaller } from "@/core/caller.ts";
import { keyNumber } from "./registry.ts";
import { type Forge, type Forged, forgeRequest } from "./request-forge.ts";
import { seededRandom } from "./seeded-random.ts";
import { CALLER_HEADER, type WholePool, wholePool } from "./whole-pool.ts";

/** What came of many requests. */
export interface ForgedFigures {
  readonly requests: number;
  /** How often each status was answered. */
  readonly statuses: Readonly<Record<number, number>>;
  /** Answers of a status below 300. */
  readonly done: number;
  readonly faults: readonly string[];
}

const FAULTS_MAX = 10;
const TOGETHER = 8;
/** A busy machine sheds load, which is no answer to what was asked. */
const UNHURRIED = [
  "limits.lag_ms=60000",
  ...["admin", "enrol", "read", "export"].map((line) => `limits.${line}.age_ms=60000`),
];
/** A caller of every role, one of an organization, a node, and somebody without credentials. */
const CALLERS: Readonly<Record<string, Caller>> = {
  admin: { type: "operator", id: "operator:local", roles: ["admin", "operator"] },
  operator: { type: "user", id: "user:olga", roles: ["operator"] },
  auditor: { type: "user", id: "user:arno", roles: ["auditor"] },
  client: { type: "key", id: "key:11111111", roles: ["client"] },
  foreign: { type: "user", id: "user:fred", roles: ["admin"], org: "elsewhere" },
};

/**
 * Asks a whole pool over real connections what the OpenAPI document lets anybody ask, and some that
 * it does not; every answer has to be one that the document names, and none may be a 5xx.
 */
export async function askForged(
  from: number,
  to: number,
  tell: (done: number) => void = () => {},
): Promise<ForgedFigures> {
  await using pool = await wholePool(UNHURRIED);
  const asked = await Asked.of(pool);
  for (let at = from; at < to && asked.faults.length < FAULTS_MAX; at += TOGETHER) {
    const seeds = Array.from({ length: Math.min(TOGETHER, to - at) }, (_, more) => at + more);
    await Promise.all(seeds.map((seed) => asked.ask(seed)));
    if ((at - from) % 1_000 < TOGETHER) tell(at);
  }
  const { requests, statuses, done, faults } = asked;
  return { requests, statuses, done, faults };
}

/** One pool under questions. */
class Asked {
  readonly faults: string[] = [];
  readonly statuses: Record<number, number> = {};
  requests = 0;
  done = 0;
  readonly #url: string;
  readonly #places: readonly { template: string; method: string; operation: any }[];
  readonly #known: Forge["known"];
  readonly #callers: readonly string[];
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false });
  readonly #schemas = new Map<unknown, ValidateFunction>();

  static async of(pool: WholePool): Promise<Asked> {
    const known = await knownIn(pool);
    const response = await pool.ask("admin", "GET", "/openapi.json");
    return new Asked(pool, (await response.json()) as any, known);
  }

  private constructor(pool: WholePool, document: any, known: Forge["known"]) {
    this.#url = pool.kernel.service("http").urls().plain[0] ?? "";
    this.#known = known;
    this.#callers = [...pool.callers.keys(), "nobody"];
    this.#ajv.addSchema({ ...document, $id: "document" });
    this.#places = Object.entries<any>(document.paths).flatMap(([template, methods]) =>
      Object.entries<any>(methods).map(([method, operation]) => ({
        template,
        method: method.toUpperCase(),
        operation,
      })),
    );
  }

  async ask(seed: number): Promise<void> {
    const random = seededRandom(seed);
    const place = this.#places[seed % this.#places.length] ?? this.#places[0];
    if (!place) throw new Error("the document names no operation");
    const forged = forgeRequest(place, { random, known: this.#known });
    const caller = this.#callers[Math.floor(random() * this.#callers.length)] ?? "nobody";
    const { method, path, headers, body } = forged;
    const response = await fetch(`${this.#url}${path}`, {
      method,
      headers: { ...headers, [CALLER_HEADER]: caller },
      redirect: "manual",
      ...(body !== undefined && method !== "GET" ? { body } : {}),
    });
    const fault = await this.#faultOf(place.operation, response);
    this.#count(response.status);
    if (fault) this.faults.push(`seed ${seed}, ${caller}: ${shown(forged)}: ${fault}`);
  }

  #count(status: number): void {
    this.requests++;
    this.statuses[status] = (this.statuses[status] ?? 0) + 1;
    if (status < 300) this.done++;
  }

  async #faultOf(operation: any, response: Response): Promise<string | undefined> {
    const { status } = response;
    const text = await response.text();
    if (status >= 500) return `${status}: ${text.slice(0, 300)}`;
    const documented = operation.responses?.[status];
    if (!documented) return `${status} is not documented: ${text.slice(0, 300)}`;
    const type = response.headers.get("content-type")?.split(";")[0] ?? "";
    const content = documented.content;
    if (!content) return text === "" || status < 300 ? undefined : `${status} has a body`;
    if (!content[type]) return `${status} is ${type}, not ${Object.keys(content)}`;
    return type.endsWith("json") ? this.#schemaFault(content[type].schema, text) : undefined;
  }

  #schemaFault(schema: any, text: string): string | undefined {
    const validate = this.#schemas.get(schema) ?? this.#compiled(schema);
    if (validate(JSON.parse(text))) return undefined;
    return `${this.#ajv.errorsText(validate.errors)}: ${text.slice(0, 300)}`;
  }

  #compiled(schema: any): ValidateFunction {
    const absolute = JSON.stringify(schema).replaceAll('"#/', '"document#/');
    const validate = this.#ajv.compile(JSON.parse(absolute));
    this.#schemas.set(schema, validate);
    return validate;
  }
}

/** Two pools, a node and people in them, so that some requests mean something. */
async function knownIn(pool: WholePool): Promise<Forge["known"]> {
  const registry = pool.kernel.service("registry");
  const system = { type: "system", id: "system:test", roles: [] } as const;
  const [first] = registry.listPools();
  const open = await registry.createPool(system, { name: "open", visibility: "public" });
  const about = { name: "known", specialization: "storage", pool: open.id };
  const node = await registry.admit(system, { ...about, publicKey: keyNumber(7) });
  for (const [name, caller] of Object.entries(CALLERS)) pool.callers.set(name, caller);
  pool.callers.set("node", nodeCaller(node.id));
  pool.callers.delete("system");
  const pools = [first?.id ?? "", open.id];
  const users = ["olga", "arno", "fred"];
  return {
    node_id: [node.id],
    node: [node.id],
    pool_id: pools,
    pool: pools,
    user_name: users,
    name: users,
    user: users,
    specialization: ["storage", "compute"],
    scopes: ["nodes:read", "pools:write"],
    role: ["client", "auditor"],
  };
}

function shown({ method, path, body }: Forged): string {
  return `${method} ${path}${body === undefined ? "" : ` ${body.slice(0, 300)}`}`;
}
