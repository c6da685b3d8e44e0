// biome-ignore-all lint/suspicious/noExplicitAny: a JSON schema may be anything

/** What of a JSON document does not fit its schema; as much of JSON Schema as our OpenAPI uses. */
export function schemaFaults(schema: any, value: any, at = "$"): readonly string[] {
  if (!schema) return [];
  if (schema.anyOf) return anyOfFaults(schema.anyOf, value, at);
  const wrong = valueFault(schema, value);
  if (wrong) return [`${at} is ${JSON.stringify(value)}, not ${wrong}`];
  if (Array.isArray(value))
    return value.flatMap((item, place) => schemaFaults(schema.items, item, `${at}[${place}]`));
  return value !== null && typeof value === "object" ? objectFaults(schema, value, at) : [];
}

function anyOfFaults(schemas: readonly any[], value: any, at: string): readonly string[] {
  const all = schemas.map((schema) => schemaFaults(schema, value, at));
  return all.some((faults) => faults.length === 0) ? [] : (all[0] ?? []);
}

function valueFault(schema: any, value: any): string | undefined {
  if (schema.const !== undefined && schema.const !== value) return JSON.stringify(schema.const);
  if (schema.enum && !schema.enum.includes(value)) return `one of ${schema.enum.join(", ")}`;
  const kinds = [schema.type ?? []].flat();
  const fits = kinds.length === 0 || kinds.some((kind: string) => isOf(kind, value));
  return fits ? undefined : kinds.join(" or ");
}

function objectFaults(schema: any, value: any, at: string): readonly string[] {
  const { properties } = schema;
  if (!properties) return [];
  const missing = (schema.required ?? []).filter((name: string) => !(name in value));
  const unknown = Object.keys(value).filter((name) => !(name in properties));
  return [
    ...missing.map((name: string) => `${at}.${name} is missing`),
    ...unknown.map((name) => `${at}.${name} is not documented`),
    ...Object.entries(value)
      .filter(([name]) => name in properties)
      .flatMap(([name, inner]) => schemaFaults(properties[name], inner, `${at}.${name}`)),
  ];
}

function isOf(kind: string, value: any): boolean {
  if (kind === "null") return value === null;
  if (kind === "array") return Array.isArray(value);
  if (kind === "integer") return Number.isInteger(value);
  if (kind === "object")
    return value !== null && typeof value === "object" && !Array.isArray(value);
  return typeof value === kind;
}
