// biome-ignore-all lint/suspicious/noExplicitAny: a JSON schema may be anything

const SAMPLES: Readonly<Record<string, (schema: any) => unknown>> = {
  object: objectOf,
  array: ({ minItems = 0, items }) => Array.from({ length: minItems }, () => sampleOf(items)),
  integer: ({ minimum = 1 }) => minimum,
  number: ({ minimum = 1 }) => minimum,
  boolean: () => true,
  null: () => null,
  string: textOf,
};

/** Some value a JSON schema takes; as much of JSON Schema as our OpenAPI uses. */
export function sampleOf(schema: any): unknown {
  if (schema?.const !== undefined) return schema.const;
  if (schema?.anyOf) return sampleOf(schema.anyOf[0]);
  const [type = "object"] = [schema?.type ?? []].flat();
  return SAMPLES[type]?.(schema ?? {});
}

function textOf({ enum: words, format, minLength = 1 }: any): string {
  if (words) return words[0];
  return format === "date-time" ? "2026-01-01T00:00:00.000Z" : "a".repeat(Math.max(1, minLength));
}

function objectOf({ properties = {}, required = [] }: any): unknown {
  const names: readonly string[] = required;
  return Object.fromEntries(names.map((name) => [name, sampleOf(properties[name])]));
}
