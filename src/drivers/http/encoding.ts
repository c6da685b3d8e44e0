import { utf8 } from "@/std/bytes.ts";
import type { Page } from "@/std/paging.ts";

/** A page that was answered, and its JSON. */
interface Encoded {
  readonly items: readonly object[];
  readonly cursor: string | null;
  readonly bytes: Uint8Array;
}

const INIT = { headers: { "content-type": "application/json;charset=utf-8" } };

/** The page last answered that began with an item. */
const answered = new WeakMap<object, Encoded>();

/** A page as JSON; one that holds the very same items as the last is not encoded again. */
export function pageResponse(page: Page<object>): Response {
  const [first] = page.items;
  if (!first) return new Response(JSON.stringify(page), INIT);
  const known = answered.get(first);
  if (known && isSame(known, page)) return new Response(known.bytes, INIT);
  const bytes = utf8(JSON.stringify(page));
  answered.set(first, { items: [...page.items], cursor: page.next_cursor, bytes });
  return new Response(bytes, INIT);
}

function isSame({ items, cursor }: Encoded, page: Page<object>): boolean {
  if (cursor !== page.next_cursor || items.length !== page.items.length) return false;
  for (let at = 0; at < items.length; at++) if (items[at] !== page.items[at]) return false;
  return true;
}
