import type { Named } from "@/core/sight.ts";

const KINDS: Readonly<Record<string, Named["kind"]>> = {
  pool: "pool",
  pool_id: "pool",
  node: "node",
  node_id: "node",
};

/** The pools and nodes a request names, wherever its words for them stand. */
export function namedIn(
  url: string,
  params: Readonly<Record<string, unknown>> | undefined,
  body: unknown,
): readonly Named[] {
  return [
    ...namedBy("path", Object.entries(params ?? {})),
    ...namedBy("query", queryIn(url)),
    ...namedBy("body", Object.entries(body ?? {})),
  ];
}

/** A query is only read when it may hold one of the words; an escaped name is one, too. */
function queryIn(url: string): Iterable<readonly [string, unknown]> {
  const at = url.indexOf("?");
  if (at === -1 || !/[?&](pool|node)|%/.test(url.slice(at))) return [];
  return new URLSearchParams(url.slice(at + 1));
}

function namedBy(
  place: Named["place"],
  words: Iterable<readonly [string, unknown]>,
): readonly Named[] {
  const named: Named[] = [];
  for (const [name, value] of words) {
    const kind = Object.hasOwn(KINDS, name) ? KINDS[name] : undefined;
    if (kind && typeof value === "string") named.push({ kind, id: value, place });
  }
  return named;
}
