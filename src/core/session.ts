import { sameBytes, toBase32, utf8 } from "@/std/bytes.ts";
import { hmacSha256 } from "@/std/crypto.ts";

/** The cookie of a session; a browser takes it only over TLS, from this host, for this host. */
export const SESSION_COOKIE = "__Host-galaxy_session";
/** The header that carries what only a page of this host knows. */
export const CSRF_HEADER = "x-csrf-token";

/** The session a Cookie header carries; two at once are none of ours, but they are there. */
export function sessionIn(cookies: string | null): string | undefined {
  if (cookies === null) return undefined;
  const found = cookies
    .split(";")
    .map((cookie) => cookie.trim())
    .filter((cookie) => cookie.startsWith(`${SESSION_COOKIE}=`))
    .map((cookie) => cookie.slice(SESSION_COOKIE.length + 1));
  return found.length > 1 ? "" : found[0];
}

/** What a page of ours sends beside the cookie: made of the session, it needs no place to be kept. */
export function csrfTokenOf(session: string): string {
  return toBase32(hmacSha256(utf8(session), utf8("gp-csrf-v1"))).slice(0, 32);
}

/** What a browser says about where a request comes from. */
export interface Provenance {
  /** Whether it may change something. */
  readonly isMutating: boolean;
  /** This host as the browser calls it, as `https://pi:8443`. */
  readonly own: string;
  /** The Origin header. */
  readonly origin: string | null;
  /** The Sec-Fetch-Site header. */
  readonly site: string | null;
}

/**
 * Whether a page of this host made a request. One that changes something must prove it by its Origin
 * or, without one, by Sec-Fetch-Site; one that only reads must not come from another origin.
 */
export function isOwnPage({ isMutating, own, origin, site }: Provenance): boolean {
  if (origin !== null && origin !== own) return false;
  if (!isMutating) return true;
  if (site !== null && site !== "same-origin") return false;
  return origin !== null || site !== null;
}

/** Whether the token beside a cookie is the one of its session. */
export function isCsrfToken(session: string, token: string | null): boolean {
  return token !== null && sameBytes(utf8(csrfTokenOf(session)), utf8(token));
}
