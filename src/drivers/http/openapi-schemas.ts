/**
 * A schema in the words of OpenAPI 3.1. The generator writes `nullable`, which 3.1 does not know (the
 * type says `null` beside it), and offers a text for every number, because it reads them from texts.
 */
export function inOpenApiWords(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(inOpenApiWords);
  if (schema === null || typeof schema !== "object") return schema;
  const { nullable, anyOf, ...rest } = schema as Record<string, unknown>;
  const isNull =
    typeof nullable === "boolean" ? {} : { ...(nullable !== undefined && { nullable }) };
  const number = numberIn(anyOf);
  if (number) return inOpenApiWords({ ...rest, ...number });
  const choices = anyOf === undefined ? {} : { anyOf: inOpenApiWords(anyOf) };
  const words = Object.entries(rest).map(([name, value]) => [name, inOpenApiWords(value)]);
  return { ...Object.fromEntries(words), ...isNull, ...choices };
}

/** The number of a choice between a number and the text of one. */
function numberIn(choices: unknown): Record<string, unknown> | undefined {
  if (!Array.isArray(choices) || choices.length !== 2) return undefined;
  const [text, number] = choices as Record<string, unknown>[];
  const isText = text?.["type"] === "string" && NUMBERS.has(String(text["format"]));
  return isText && NUMBERS.has(String(number?.["type"])) ? number : undefined;
}

const NUMBERS: ReadonlySet<string> = new Set(["integer", "number", "numeric"]);
