import { Elysia, t } from "elysia";
import type { Role } from "@/core/caller.ts";
import { SESSION_COOKIE, sessionIn } from "@/core/session.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { PoolError } from "@/std/errors.ts";
import type { People } from "./people.ts";
import type { SessionSeen } from "./sessions.ts";

const PATH = "/api/v1/auth/session";
const ANY: readonly Role[] = ["admin", "operator", "client", "node", "auditor"];

/** Who may call which of these routes. */
export const sessionRoutesAccess: readonly RouteAccess[] = [
  { method: "POST", path: PATH, access: "anyone", ownPagesOnly: true },
  { method: "GET", path: PATH, access: ANY },
  { method: "DELETE", path: PATH, access: ANY },
];

const SessionView = t.Object({
  csrf_token: t.String({ description: "Goes into X-CSRF-Token with all that changes something." }),
  expires_in: t.Integer({ description: "Seconds until it ends, however much it is used." }),
  idle_seconds: t.Integer({ description: "Unused for so long it ends." }),
});
const callerFields = {
  id: t.String(),
  type: t.UnionEnum(["operator", "user", "key", "node"]),
  roles: t.Array(t.String()),
  org: t.Nullable(t.String()),
  scopes: t.Nullable(t.Array(t.String())),
};
const WhoView = t.Object({ ...callerFields, session: t.Nullable(SessionView) });

/** Sessions of people in a browser, and who one is. */
export const sessionRoutes = ({ sessions, signIn }: People, http: Http) =>
  new Elysia({ tags: ["access"] })
    .post(
      PATH,
      async ({ request, body, set }) => {
        if (!http.isSecure(request)) throw sessionInsecure();
        const person = await signIn.prove(http.addressOf(request), body);
        const secret = await sessions.begin(person);
        const seen = sessions.find(secret);
        if (!seen) throw sessionUnknown();
        set.headers["set-cookie"] = cookieOf(secret, Math.ceil(seen.leftMs / 1000));
        set.status = 201;
        return sessionView(seen);
      },
      {
        body: t.Object({
          user: t.String({ minLength: 1, maxLength: 64 }),
          password: t.String({ minLength: 1, maxLength: 512 }),
        }),
        response: { 201: SessionView },
        detail: {
          summary: "Begin a session of a browser",
          description:
            "Over HTTPS and from a page of this host alone. Sets the cookie; a restart of the pool ends it.",
        },
      },
    )
    .get(
      PATH,
      ({ request }) => {
        const { id, type, roles, org, scopes } = http.callerOf(request);
        const seen = sessions.find(sessionIn(request.headers.get("cookie")) ?? "");
        const isOwn = seen?.caller.id === id;
        return {
          id,
          type: type as (typeof WhoView.static)["type"],
          roles: [...roles],
          org: org ?? null,
          scopes: scopes ? [...scopes] : null,
          session: seen && isOwn ? sessionView(seen) : null,
        };
      },
      {
        response: { 200: WhoView },
        detail: { summary: "Who one is with these credentials, and the session if it is one" },
      },
    )
    .delete(
      PATH,
      async ({ request, set }) => {
        const secret = sessionIn(request.headers.get("cookie")) ?? "";
        if (!(await sessions.end(secret))) throw sessionUnknown();
        set.headers["set-cookie"] = cookieOf("", 0);
        set.status = 204;
      },
      { response: { 204: t.Void() }, detail: { summary: "End the session" } },
    );

function cookieOf(secret: string, seconds: number): string {
  return `${SESSION_COOKIE}=${secret}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${seconds}`;
}

function sessionView({ csrfToken, leftMs, idleMs }: SessionSeen): typeof SessionView.static {
  return {
    csrf_token: csrfToken,
    expires_in: Math.ceil(leftMs / 1000),
    idle_seconds: Math.floor(idleMs / 1000),
  };
}

function sessionInsecure(): PoolError {
  return new PoolError(
    "precondition",
    "session.insecure",
    "A session needs HTTPS: its cookie is not sent otherwise. Use the secure address, or a token.",
  );
}

function sessionUnknown(): PoolError {
  return new PoolError("not_found", "session.unknown", "There is no session with this request.");
}
