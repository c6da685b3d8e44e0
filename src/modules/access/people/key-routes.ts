import { Elysia, t } from "elysia";
import { PERSON_ROLES } from "@/core/person.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { pageOf, readPage } from "@/std/paging.ts";
import { KEY_TTL_SECONDS_DEFAULT, KEY_TTL_SECONDS_MAX } from "./api-keys.ts";
import { type ApiKey, keyStateOf } from "./key-record.ts";
import type { People } from "./people.ts";

/** Who may call which of these routes. */
export const keyRoutesAccess: readonly RouteAccess[] = [
  { method: "GET", path: "/api/v1/keys", access: ["admin"] },
  { method: "POST", path: "/api/v1/keys", access: ["admin"] },
  { method: "GET", path: "/api/v1/keys/:key_id", access: ["admin"] },
  { method: "DELETE", path: "/api/v1/keys/:key_id", access: ["admin"] },
];

const SCOPES_MAX = 64;

const fields = {
  key_id: t.String(),
  name: t.String(),
  roles: t.Array(t.UnionEnum([...PERSON_ROLES])),
  org: t.Nullable(t.String()),
  scopes: t.Nullable(t.Array(t.String(), { description: "null: not limited." })),
  state: t.UnionEnum(["live", "expired", "revoked"]),
  created_at: t.String({ format: "date-time" }),
  created_by: t.String(),
  expires_at: t.String({ format: "date-time" }),
  revoked_at: t.Nullable(t.String({ format: "date-time" })),
  last_used_at: t.Nullable(t.String({ format: "date-time" })),
};
const KeyView = t.Object(fields);
const CreatedView = t.Object({
  ...fields,
  key: t.Optional(t.String({ description: "The API key; it is shown this once." })),
});
const params = t.Object({ key_id: t.String({ minLength: 1, maxLength: 64 }) });

const NewKey = t.Object({
  name: t.Optional(t.String({ maxLength: 64, description: "What it is for." })),
  roles: t.Array(t.UnionEnum([...PERSON_ROLES]), {
    minItems: 1,
    maxItems: PERSON_ROLES.length,
    description: "What it may do: none that you may not give.",
  }),
  org: t.Optional(
    t.String({ minLength: 1, maxLength: 64, description: "The organization it speaks for." }),
  ),
  scopes: t.Optional(
    t.Array(t.String({ maxLength: 64 }), {
      minItems: 1,
      maxItems: SCOPES_MAX,
      description:
        "Limits it to these: <area>:read (GET) and <area>:write (all else); the area is the first " +
        "segment behind /api/v1, as in nodes:read. Writing does not include reading.",
    }),
  ),
  ttl_seconds: t.Optional(
    t.Integer({
      minimum: 60,
      maximum: KEY_TTL_SECONDS_MAX,
      description: `How long it lives; ${KEY_TTL_SECONDS_DEFAULT} if unstated.`,
    }),
  ),
});

/** API keys, for admins. */
export const keyRoutes = ({ keys, nowMs }: People, http: Http) =>
  new Elysia({ prefix: "/api/v1/keys", tags: ["access"] })
    .get(
      "",
      ({ query, request }) => {
        const page = readPage(query);
        const all = keys.list(http.callerOf(request));
        const found = page.after === undefined ? all : all.filter(isBehind(page.after));
        const item = (key: ApiKey) => viewOf(key, nowMs());
        return pageOf(found, page.limit, { item, position: placeOf });
      },
      {
        query: t.Object(http.pageQuery),
        response: t.Object({ items: t.Array(KeyView), next_cursor: t.Nullable(t.String()) }),
        detail: { summary: "List API keys without their secrets, the newest first" },
      },
    )
    .get(
      "/:key_id",
      ({ params: { key_id }, request }) =>
        viewOf(keys.get(http.callerOf(request), key_id), nowMs()),
      { params, response: { 200: KeyView }, detail: { summary: "Show an API key" } },
    )
    .post(
      "",
      ({ body, request }) =>
        http.once(request, body, async (remember) => {
          const { ttl_seconds: ttlSeconds, ...terms } = body;
          const caller = http.callerOf(request);
          const made = await keys.create(caller, { ...terms, ttlSeconds }, (key) =>
            remember({ status: 201, body: viewOf(key, nowMs()) }),
          );
          return { status: 201, body: { ...viewOf(made.key, nowMs()), key: made.text } };
        }),
      {
        headers: t.Object(http.onceHeaders),
        body: NewKey,
        response: { 201: CreatedView },
        detail: {
          summary: "Create an API key",
          description:
            "Send it as X-API-Key or as a bearer token. Repeated with the same Idempotency-Key it " +
            "answers without the key's text.",
        },
      },
    )
    .delete(
      "/:key_id",
      async ({ params: { key_id }, request, set }) => {
        await keys.revoke(http.callerOf(request), key_id);
        set.status = 204;
      },
      {
        params,
        response: { 204: t.Void() },
        detail: {
          summary: "Revoke an API key",
          description: "It is dead at once, and so is every key that was made with it.",
        },
      },
    );

function viewOf(key: ApiKey, nowMs: number): typeof KeyView.static {
  return {
    key_id: key.id,
    name: key.name,
    roles: key.roles as (typeof KeyView.static)["roles"],
    org: key.org ?? null,
    scopes: key.scopes ? [...key.scopes] : null,
    state: keyStateOf(key, nowMs),
    created_at: timeText(key.createdAtMs),
    created_by: key.createdBy,
    expires_at: timeText(key.expiresAtMs),
    revoked_at: key.revokedAtMs === undefined ? null : timeText(key.revokedAtMs),
    last_used_at: key.usedAtMs === undefined ? null : timeText(key.usedAtMs),
  };
}

/** Where a key stands in the list. */
function placeOf(key: ApiKey): string {
  return `${key.createdAtMs}.${key.id}`;
}

function isBehind(place: string): (key: ApiKey) => boolean {
  const [createdAt = "0", id = ""] = place.split(".");
  const at = Number(createdAt);
  return (key) => key.createdAtMs < at || (key.createdAtMs === at && key.id < id);
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
