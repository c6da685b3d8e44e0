import { toOpenAPISchema } from "@elysiajs/openapi/openapi";
import type { AnyElysia } from "elysia";
import { SESSION_COOKIE } from "@/core/session.ts";
import type { RouteAccess } from "@/ports/http.ts";
import { inOpenApiWords } from "./openapi-schemas.ts";

/** One operation of the document, as far as it is read or written here. */
interface Operation {
  responses?: Record<string, unknown>;
  requestBody?: { content?: Record<string, unknown> };
  parameters?: readonly { readonly in: string }[];
  [name: string]: unknown;
}

const PROBLEM = { $ref: "#/components/schemas/Problem" };

const PROBLEM_SCHEMA = {
  type: "object",
  description: "A refusal (RFC 9457). The code is stable; programs go by it.",
  required: ["type", "title", "status", "code", "detail", "instance"],
  properties: {
    type: { type: "string", format: "uri" },
    title: { type: "string" },
    status: { type: "integer" },
    code: { type: "string", examples: ["pool.full"] },
    detail: { type: "string" },
    instance: { type: "string", format: "uri" },
    errors: {
      type: "array",
      items: {
        type: "object",
        required: ["path", "message"],
        properties: { path: { type: "string" }, message: { type: "string" } },
      },
    },
  },
};

const SECURITY_SCHEMES = {
  token: { type: "http", scheme: "bearer", bearerFormat: "JWT" },
  apiKey: { type: "apiKey", in: "header", name: "X-API-Key" },
  session: {
    type: "apiKey",
    in: "cookie",
    name: SESSION_COOKIE,
    description:
      "Over HTTPS, from pages of this host: what is not a GET needs an Origin of this host and the " +
      "session's csrf_token in X-CSRF-Token, else 403 access.csrf.",
  },
};

const WHY: Readonly<Record<number, string>> = {
  400: "The request is not as it should be.",
  401: "Credentials are missing or not known.",
  403: "The credentials have no role for this.",
  404: "There is no such thing.",
  409: "It contradicts what there is.",
  413: "The body is too large.",
  415: "The body is not JSON.",
  429: "Too much is asked; Retry-After says when to come back.",
  500: "The pool itself failed.",
  501: "This build cannot do that.",
  503: "Not available now; Retry-After says when to come back.",
  504: "It took too long.",
};

/** The OpenAPI 3.1 document of what is mounted: generated, then completed with who may and what may fail. */
export function openApiDocument(
  app: AnyElysia,
  rows: readonly RouteAccess[],
  version: string,
): Record<string, unknown> {
  const generated = toOpenAPISchema(app, { staticFile: false }, undefined, undefined, "3.1.0");
  const paths = inOpenApiWords(generated.paths) as Record<
    string,
    Record<string, Operation> | undefined
  >;
  for (const row of rows) {
    const operation = paths[row.path.replace(/:(\w+)/g, "{$1}")]?.[row.method.toLowerCase()];
    if (operation) complete(operation, row);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Galaxy node pool",
      version,
      description: "Every refusal is a problem (RFC 9457) with a stable code.",
      license: { name: "MIT", identifier: "MIT" },
    },
    servers: [{ url: "/" }],
    paths,
    components: {
      schemas: { ...generated.components.schemas, Problem: PROBLEM_SCHEMA },
      securitySchemes: SECURITY_SCHEMES,
    },
  };
}

function complete(operation: Operation, row: RouteAccess): void {
  const content = operation.requestBody?.content;
  if (operation.requestBody && content?.["application/json"]) {
    operation.requestBody.content = { "application/json": content["application/json"] };
  }
  operation["security"] =
    row.access === "anyone" ? [] : [{ token: [] }, { apiKey: [] }, { session: [] }];
  operation["x-roles"] = row.access;
  if (row.openOnLoopback) operation["x-open-on-loopback"] = true;
  const responses = withoutVoid(operation.responses ?? { 200: { description: "Done." } });
  if (row.alsoAs) responses[200] = withTexts(responses[200], row.alsoAs);
  for (const status of refusalsOf(operation, row)) responses[status] ??= problemOf(status);
  operation.responses = responses;
}

function withTexts(response: unknown, types: readonly string[]): unknown {
  const { content, ...rest } = response as { readonly content?: Record<string, unknown> };
  const texts = types.map((type) => [type, { schema: { type: "string" } }]);
  return { ...rest, content: { ...content, ...Object.fromEntries(texts) } };
}

/** An answer without a body has no content; the generator writes its type where media types stand. */
function withoutVoid(responses: Record<string, unknown>): Record<string, unknown> {
  const bare = ([status, response]: [string, unknown]) => {
    const { content, ...rest } = response as { readonly content?: Record<string, unknown> };
    const isVoid = content?.["type"] === "void";
    return [status, isVoid ? rest : response];
  };
  return Object.fromEntries(Object.entries(responses).map(bare));
}

/** Which refusals a route may answer with besides its own, from its shape. */
function refusalsOf(operation: Operation, row: RouteAccess): number[] {
  const statuses = [429, 500, 501, 503, 504];
  const places = (operation.parameters ?? []).map((parameter) => parameter.in);
  if (row.access !== "anyone") statuses.push(401, 403);
  if (places.length > 0 || operation.requestBody) statuses.push(400);
  if (places.includes("path") || places.includes("query")) statuses.push(404);
  if (row.method !== "GET") statuses.push(400, 401, 403, 404, 409, 413, 415);
  return statuses;
}

function problemOf(status: number): unknown {
  const content = { "application/problem+json": { schema: PROBLEM } };
  return { description: WHY[status] ?? "Refused.", content };
}
