import { PoolError } from "@/std/errors.ts";
import { type PageRequest, readPage } from "@/std/paging.ts";
import { type NodeFilter, type NodeRange, readState } from "./node-list.ts";

const FILTERS = ["pool", "specialization", "org", "state", "q"] as const;
const NAMES: ReadonlySet<string> = new Set([...FILTERS, "limit", "cursor"]);
const TEXT_MAX = 512;

/** What a query of the list asks for. */
export interface ListQuery {
  readonly filter: NodeFilter;
  readonly page: PageRequest;
}

/**
 * Reads the query of the node list. It is read only when no page is at hand for its text: the same
 * by a schema, before every answer, costs a fifth of all answers per second.
 */
export function readListQuery(
  text: string,
  rangeOf: (pool: string | undefined) => NodeRange,
): ListQuery {
  const query = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(text)) {
    if (!NAMES.has(name) || query.has(name))
      throw invalid(name, "is not asked for, or asked twice");
    if (value.length > TEXT_MAX) throw invalid(name, `must be at most ${TEXT_MAX} characters`);
    query.set(name, value);
  }
  const filter = { ...rangeOf(query.get("pool")), ...filterOf(query) };
  return { filter, page: pageOf(query) };
}

function filterOf(query: ReadonlyMap<string, string>): NodeFilter {
  return {
    specialization: query.get("specialization"),
    org: query.get("org"),
    state: readState(query.get("state")),
    q: query.get("q"),
  };
}

function pageOf(query: ReadonlyMap<string, string>): PageRequest {
  const limit = query.get("limit");
  return readPage({
    limit: limit === undefined ? undefined : numeral(limit),
    cursor: query.get("cursor"),
  });
}

/** Not a number for anything but digits; `readPage` refuses that. */
function numeral(text: string): number {
  return /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
}

function invalid(name: string, message: string): PoolError {
  const path = `query.${name.slice(0, 64)}`;
  return new PoolError(
    "invalid",
    "request.invalid",
    `The request is wrong in ${path}: ${message}.`,
    {
      errors: [{ path, message }],
    },
  );
}
