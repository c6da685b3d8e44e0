import { fromBase64, sameBytes, toBase64, utf8 } from "./bytes.ts";
import { sha256 } from "./crypto.ts";
import { PoolError } from "./errors.ts";

/** How many items a page holds when nobody says. */
export const PAGE_LIMIT = 50;
/** How many items a page may hold. */
export const PAGE_LIMIT_MAX = 500;

const CHECK_BYTES = 4;

/** Which page of a list is asked for. */
export interface PageRequest {
  /** From 1 to 500. */
  readonly limit: number;
  /** The position of the last item already seen, as `pageOf` was given it. */
  readonly after: string | undefined;
}

/** One page of a list, as it is answered. */
export interface Page<Item> {
  readonly items: Item[];
  readonly next_cursor: string | null;
}

/** Reads `?limit=&cursor=`; refuses a cursor that is not one of ours (`request.bad_cursor`). */
export function readPage(query: {
  readonly limit?: number | undefined;
  readonly cursor?: string | undefined;
}): PageRequest {
  const limit = query.limit ?? PAGE_LIMIT;
  if (!Number.isInteger(limit) || limit < 1 || limit > PAGE_LIMIT_MAX) throw badLimit();
  return { limit, after: query.cursor === undefined ? undefined : positionOf(query.cursor) };
}

/**
 * The page of what was found. The list is asked for one item more than the limit, so that it is
 * known whether another page follows; `positionOf` says where an item stands in the list's order.
 */
export function pageOf<Found, Item>(
  found: readonly Found[],
  limit: number,
  view: { readonly item: (found: Found) => Item; readonly position: (found: Found) => string },
): Page<Item> {
  const shown = found.slice(0, limit);
  const last = found.length > limit ? shown.at(-1) : undefined;
  return {
    items: shown.map(view.item),
    next_cursor: last === undefined ? null : cursorOf(view.position(last)),
  };
}

/** A position as opaque text: 4 bytes of checksum, then the position. */
function cursorOf(position: string): string {
  const bytes = utf8(position);
  const text = toBase64(Buffer.concat([checkOf(bytes), bytes]));
  return text.replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function positionOf(cursor: string): string {
  const bytes = fromBase64(cursor);
  const position = bytes?.subarray(CHECK_BYTES);
  if (!bytes || !position || !sameBytes(bytes.subarray(0, CHECK_BYTES), checkOf(position))) {
    throw badCursor();
  }
  return new TextDecoder().decode(position);
}

function checkOf(position: Uint8Array): Uint8Array {
  return sha256(utf8("galaxy-pool cursor"), position).subarray(0, CHECK_BYTES);
}

function badCursor(): PoolError {
  return new PoolError(
    "invalid",
    "request.bad_cursor",
    "The cursor is not one this pool gave out; start again without it.",
    { errors: [{ path: "query.cursor", message: "use next_cursor of the page before" }] },
  );
}

function badLimit(): PoolError {
  const message = `must be a whole number from 1 to ${PAGE_LIMIT_MAX}`;
  return new PoolError("invalid", "request.invalid", `The limit ${message}.`, {
    errors: [{ path: "query.limit", message }],
  });
}
