// biome-ignore-all lint/suspicious/noExplicitAny: a JSON schema may be anything

/** A request made from one operation of the OpenAPI document; never quite what was expected. */
export interface Forged {
  readonly method: string;
  readonly path: string;
  /** As the document has it, with {name} for parameters. */
  readonly template: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | undefined;
}

/** What is forged with: dice, and words that mean something to this pool (ids, names), by field. */
export interface Forge {
  readonly random: () => number;
  readonly known: Readonly<Record<string, readonly string[]>>;
}

const HOSTILE: readonly unknown[] = [
  "",
  " ",
  "\u0000",
  "a".repeat(600),
  "é\u0301\u202e🦀",
  "\ud800",
  "' OR 1=1 --",
  "../../etc/passwd",
  "%2e%2e%2f",
  "__proto__",
  "1e309",
  "-1",
  "2026-02-30T25:61:00Z",
  "9999999999999999999999",
  -1,
  0,
  1.5,
  2 ** 53,
  1e308,
  null,
  true,
  [],
  [[[[[[]]]]]],
  {},
  { constructor: { prototype: 1 } },
];

/** One request for an operation; three of four values are what its schemas ask for. */
export function forgeRequest(
  place: { readonly template: string; readonly method: string; readonly operation: any },
  forge: Forge,
): Forged {
  const { template, method, operation } = place;
  const parameters: readonly any[] = operation.parameters ?? [];
  const valueFor = (parameter: any): string => textOf(madeFor(parameter, forge));
  const path = template.replace(/\{(\w+)\}/g, (_, name: string) => {
    const schema = parameters.find((one) => one.in === "path" && one.name === name)?.schema;
    return encoded(valueFor({ name, schema: schema ?? { type: "string" } })) || "-";
  });
  const query = parameters
    .filter((one) => one.in === "query" && (one.required || forge.random() < 0.4))
    .map((one) => `${encoded(one.name)}=${encoded(valueFor(one))}`);
  const asked = query.length > 0 ? `${path}?${query.join("&")}` : path;
  return { method, template, path: asked, ...bodyFor(operation, parameters, forge) };
}

function bodyFor(operation: any, parameters: readonly any[], forge: Forge) {
  const headers: Record<string, string> = {};
  const isKeyed = parameters.some((one) => one.name === "idempotency-key");
  if (isKeyed && forge.random() < 0.3) headers["idempotency-key"] = `key-${pick(NUMBERS, forge)}`;
  const schema = operation.requestBody?.content?.["application/json"]?.schema;
  if (!schema && forge.random() < 0.9) return { headers, body: undefined };
  headers["content-type"] = forge.random() < 0.97 ? "application/json" : "text/plain";
  return { headers, body: bodyText(schema, forge) };
}

function bodyText(schema: any, forge: Forge): string {
  const text = JSON.stringify(madeFor({ name: "body", schema: schema ?? {} }, forge)) ?? "null";
  if (forge.random() < 0.97) return text;
  return text.slice(0, Math.floor(text.length * forge.random()));
}

const NUMBERS = Array.from({ length: 50 }, (_, at) => at);

/** A value for a named place: a good one, or one that is not. */
function madeFor(place: { readonly name: string; readonly schema: any }, forge: Forge): unknown {
  if (forge.random() < 0.12) return pick(HOSTILE, forge);
  const known = forge.known[place.name];
  if (known && forge.random() < 0.7) return pick(known, forge);
  return goodFor(place, forge);
}

function goodFor({ name, schema }: { readonly name: string; readonly schema: any }, forge: Forge) {
  if (schema?.const !== undefined) return schema.const;
  if (schema?.enum) return pick(schema.enum as readonly unknown[], forge);
  const choices: readonly any[] | undefined = schema?.anyOf ?? schema?.oneOf;
  if (choices) return madeFor({ name, schema: pick(choices, forge) }, forge);
  return byType(name, schema ?? {}, forge);
}

function byType(name: string, schema: any, forge: Forge): unknown {
  switch (pick([schema.type ?? "object"].flat(), forge)) {
    case "integer":
    case "number":
      return numberFor(schema, forge);
    case "boolean":
      return forge.random() < 0.5;
    case "null":
      return null;
    case "array":
      return itemsFor(name, schema, forge);
    case "string":
      return stringFor(schema, forge);
    default:
      return objectFor(schema, forge);
  }
}

function numberFor({ minimum = 0, maximum = 1_000 }: any, forge: Forge): number {
  const edges = [minimum, maximum, minimum - 1, maximum + 1];
  if (forge.random() < 0.3) return pick(edges, forge);
  return minimum + Math.floor(forge.random() * (maximum - minimum + 1));
}

function itemsFor(name: string, schema: any, forge: Forge): unknown[] {
  const { minItems = 0, items } = schema;
  const count = minItems + Math.floor(forge.random() * 3);
  return Array.from({ length: count }, () => madeFor({ name, schema: items ?? {} }, forge));
}

function stringFor({ minLength = 0, maxLength = 40, format }: any, forge: Forge): string {
  if (format === "date-time") return new Date(Math.floor(forge.random() * 2e12)).toISOString();
  const span = Math.min(maxLength, 80) - minLength + 1;
  const length = forge.random() < 0.1 ? maxLength + 1 : minLength + forge.random() * span;
  return Array.from({ length: Math.floor(length) }, () => pick(LETTERS, forge)).join("");
}

const LETTERS = [..."abcdefghijklmnopqrstuvwxyz234567-_.:/@ éÄ"];

function objectFor({ properties = {}, required = [] }: any, forge: Forge): object {
  const names = Object.keys(properties).filter(
    (name) => (required.includes(name) && forge.random() < 0.97) || forge.random() < 0.4,
  );
  const made = names.map((name) => [name, madeFor({ name, schema: properties[name] }, forge)]);
  if (forge.random() < 0.04) made.push(["surprise", pick(HOSTILE, forge)]);
  return Object.fromEntries(made);
}

function pick<Item>(items: readonly Item[], { random }: Forge): Item {
  return items[Math.floor(random() * items.length)] as Item;
}

function textOf(value: unknown): string {
  return typeof value === "string" ? value : (JSON.stringify(value) ?? "");
}

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}
