import type { AnyElysia } from "elysia";
import type { RouteAccess } from "@/ports/http.ts";
import { AssertionError, assert } from "@/std/assert.ts";

interface Branch<Row> {
  readonly named: Map<string, Branch<Row>>;
  any: Branch<Row> | undefined;
  readonly rows: Map<string, Row>;
}

/** Finds rows by method and path; a `:name` in a pattern stands for one segment that is not empty. */
export class RouteTable<Row> {
  readonly #exact = new Map<string, Map<string, Row>>();
  readonly #root: Branch<Row> = branch();

  /** Adds a row; the same method and path twice is a mistake of ours. */
  add(method: string, pattern: string, row: Row): void {
    const rows = pattern.includes(":") ? this.#branchOf(pattern).rows : this.#exactOf(pattern);
    if (rows.has(method)) throw new AssertionError(`${method} ${pattern} is mounted twice`);
    rows.set(method, row);
  }

  /** The rows of a path by method, or undefined for a path nobody serves. */
  find(path: string): ReadonlyMap<string, Row> | undefined {
    return this.#exact.get(path) ?? matching(this.#root, path.split("/"), 1);
  }

  #exactOf(path: string): Map<string, Row> {
    const rows = this.#exact.get(path) ?? new Map<string, Row>();
    this.#exact.set(path, rows);
    return rows;
  }

  #branchOf(pattern: string): Branch<Row> {
    let at = this.#root;
    for (const segment of pattern.split("/").slice(1)) {
      at = segment.startsWith(":") ? anyOf(at) : namedOf(at, segment);
    }
    return at;
  }
}

function branch<Row>(): Branch<Row> {
  return { named: new Map(), any: undefined, rows: new Map() };
}

function anyOf<Row>(at: Branch<Row>): Branch<Row> {
  at.any ??= branch();
  return at.any;
}

function namedOf<Row>(at: Branch<Row>, segment: string): Branch<Row> {
  const next = at.named.get(segment) ?? branch<Row>();
  at.named.set(segment, next);
  return next;
}

function matching<Row>(
  at: Branch<Row>,
  segments: readonly string[],
  index: number,
): ReadonlyMap<string, Row> | undefined {
  if (index === segments.length) return at.rows.size > 0 ? at.rows : undefined;
  const segment = segments[index] ?? "";
  const named = at.named.get(segment);
  const found = named && matching(named, segments, index + 1);
  if (found || segment === "" || !at.any) return found;
  return matching(at.any, segments, index + 1);
}

/** Fails the start where a route has no row of the permission table, or a row no route. */
export function requireSameRoutes(routes: AnyElysia, access: readonly RouteAccess[]): void {
  const mounted = new Set(routes.routes.map(({ method, path }) => `${method} ${path}`));
  const listed = new Set(access.map(({ method, path }) => `${method} ${path}`));
  const unlisted = [...mounted].filter((route) => !listed.has(route));
  const unmounted = [...listed].filter((route) => !mounted.has(route));
  assert(unlisted.length === 0, `routes without a row in the permission table: ${unlisted}`);
  assert(unmounted.length === 0, `rows of the permission table without a route: ${unmounted}`);
}
