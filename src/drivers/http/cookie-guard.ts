import { CSRF_HEADER, isCsrfToken, isOwnPage, sessionIn } from "@/core/session.ts";
import { PoolError } from "@/std/errors.ts";

/** What is looked at of a request besides the request itself. */
interface Asked {
  readonly isSecure: boolean;
  /** Only pages of this host may ask, with a cookie or without. */
  readonly ownPagesOnly: boolean;
}

/**
 * Refuses what another site may have made a browser send (`access.csrf`). Credentials in a header are
 * sent by programs, never by a browser on its own; then no cookie is looked at, here or later.
 */
export function guardCookie(request: Request, { isSecure, ownPagesOnly }: Asked): void {
  const { headers } = request;
  const session = hasCredentials(headers) ? undefined : sessionIn(headers.get("cookie"));
  if (session === undefined && !ownPagesOnly) return;
  const isMutating = request.method !== "GET" && request.method !== "HEAD";
  const own = ownOrigin(request, isSecure);
  const said = { origin: headers.get("origin"), site: headers.get("sec-fetch-site") };
  if (!isOwnPage({ isMutating, own, ...said })) throw foreignPage();
  if (session === undefined || !isMutating || ownPagesOnly) return;
  if (!isCsrfToken(session, headers.get(CSRF_HEADER))) throw csrfMissing();
}

function hasCredentials(headers: Headers): boolean {
  return headers.has("authorization") || headers.has("x-api-key");
}

/** This host as the browser that asks calls it. */
function ownOrigin(request: Request, isSecure: boolean): string {
  const { host } = new URL(request.url);
  const own = `${isSecure ? "https" : "http"}://${request.headers.get("host") ?? host}`;
  return URL.canParse(own) ? new URL(own).origin : "";
}

function foreignPage(): PoolError {
  return new PoolError(
    "denied",
    "access.csrf",
    "A session works from pages of this host alone: the Origin of the request is another, or missing.",
  );
}

function csrfMissing(): PoolError {
  return new PoolError(
    "denied",
    "access.csrf",
    `With a session, whatever changes something carries its csrf_token in ${CSRF_HEADER}; it is missing or wrong.`,
  );
}
