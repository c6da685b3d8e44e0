import { Elysia, t } from "elysia";
import type { Clock } from "@/ports/clock.ts";
import type { RouteAccess } from "@/ports/http.ts";

export const SECURITY_CONTACT_ACCESS: readonly RouteAccess[] = [
  { method: "GET", path: "/.well-known/security.txt", access: "anyone" },
];

const DAY_MS = 86_400_000;
const VALID_DAYS = 180;

/** Whom to tell of a weakness, where those who look for one look for it (RFC 9116). */
export const securityContactRoutes = (clock: Clock) =>
  new Elysia({ tags: ["health"] }).get(
    "/.well-known/security.txt",
    ({ set }) => {
      set.headers["content-type"] = "text/plain; charset=utf-8";
      return securityText(clock.now());
    },
    {
      response: t.String({ description: "security.txt of RFC 9116" }),
      detail: { summary: "To whom a weakness of this program is reported" },
    },
  );

/** There is no Canonical line: a pool answers at addresses nobody knows beforehand. */
function securityText(nowMs: number): string {
  const expiresMs = (Math.floor(nowMs / DAY_MS) + VALID_DAYS) * DAY_MS;
  return [
    "Contact: mailto:security@hybridconnect.cloud",
    `Expires: ${new Date(expiresMs).toISOString().replace(".000Z", "Z")}`,
    "Preferred-Languages: en",
    "Policy: https://github.com/castle-palette/galaxy-node-pool#security",
    "",
  ].join("\n");
}
