import { Elysia, t } from "elysia";
import { PASSWORD_LETTERS_MAX, PERSON_ROLES } from "@/core/person.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { pageOf, readPage } from "@/std/paging.ts";
import type { People } from "./people.ts";
import type { Person } from "./person-record.ts";

/** Who may call which of these routes. */
export const personRoutesAccess: readonly RouteAccess[] = [
  { method: "GET", path: "/api/v1/users", access: ["admin"] },
  { method: "POST", path: "/api/v1/users", access: ["admin"] },
  { method: "GET", path: "/api/v1/users/:user_name", access: ["admin"] },
  { method: "PUT", path: "/api/v1/users/:user_name", access: ["admin"] },
  { method: "DELETE", path: "/api/v1/users/:user_name", access: ["admin"] },
  { method: "POST", path: "/api/v1/users/:user_name/password", access: ["admin"] },
];

const Roles = t.Array(t.UnionEnum([...PERSON_ROLES]), {
  minItems: 1,
  maxItems: PERSON_ROLES.length,
  description: "What the person may do.",
});
const Org = t.String({
  minLength: 1,
  maxLength: 64,
  description: "The organization the person speaks for; unstated, for the whole installation.",
});
const Password = t.String({
  minLength: 1,
  maxLength: PASSWORD_LETTERS_MAX * 4,
  description: "Unstated, a password good for choosing one's own is made and shown this once.",
});

const fields = {
  name: t.String(),
  roles: t.Array(t.UnionEnum([...PERSON_ROLES])),
  org: t.Nullable(t.String()),
  state: t.UnionEnum(["active", "disabled"]),
  password: t.UnionEnum(["own", "one_time", "expired"]),
  password_changed_at: t.String({ format: "date-time" }),
  created_at: t.String({ format: "date-time" }),
  created_by: t.String(),
};
const PersonView = t.Object(fields);
const MadeView = t.Object({
  ...fields,
  one_time_password: t.Optional(
    t.String({ description: "Good for choosing one's own password; it is shown this once." }),
  ),
});
const params = t.Object({ user_name: t.String({ minLength: 1, maxLength: 64 }) });

/** People, for admins. */
export const personRoutes = (people: People, http: Http) =>
  new Elysia({ prefix: "/api/v1/users", tags: ["access"] })
    .use(readRoutes(people, http))
    .use(changeRoutes(people, http))
    .use(passwordRoutes(people, http));

const readRoutes = ({ persons, nowMs }: People, http: Http) =>
  new Elysia()
    .get(
      "",
      ({ query, request }) => {
        const { limit, after = "" } = readPage(query);
        const found = persons.list(http.callerOf(request)).filter(({ name }) => name > after);
        const item = (person: Person) => viewOf(person, nowMs());
        return pageOf(found, limit, { item, position: ({ name }) => name });
      },
      {
        query: t.Object(http.pageQuery),
        response: t.Object({ items: t.Array(PersonView), next_cursor: t.Nullable(t.String()) }),
        detail: { summary: "List people, by name" },
      },
    )
    .get(
      "/:user_name",
      ({ params: { user_name }, request }) =>
        viewOf(persons.get(http.callerOf(request), user_name), nowMs()),
      { params, response: { 200: PersonView }, detail: { summary: "Show a person" } },
    );

const changeRoutes = ({ persons, nowMs }: People, http: Http) =>
  new Elysia()
    .post(
      "",
      ({ body, request }) =>
        http.once(request, withoutPassword(body), async (remember) => {
          const caller = http.callerOf(request);
          const made = await persons.create(caller, body, (person) =>
            remember({ status: 201, body: viewOf(person, nowMs()) }),
          );
          return { status: 201, body: madeView(made, nowMs()) };
        }),
      {
        headers: t.Object(http.onceHeaders),
        body: t.Object({
          name: t.String({
            minLength: 1,
            maxLength: 64,
            description: "What the person signs in as.",
          }),
          roles: Roles,
          org: t.Optional(Org),
          password: t.Optional(Password),
        }),
        response: { 201: MadeView },
        detail: {
          summary: "Add a person",
          description: "Repeated with the same Idempotency-Key it answers without the password.",
        },
      },
    )
    .put(
      "/:user_name",
      async ({ body, params: { user_name }, request }) => {
        const { disabled: isDisabled, roles, org } = body;
        const changes = { roles, org, isDisabled };
        return viewOf(await persons.update(http.callerOf(request), user_name, changes), nowMs());
      },
      {
        params,
        body: t.Object({
          roles: t.Optional(Roles),
          org: t.Optional(t.Nullable(Org)),
          disabled: t.Optional(t.Boolean({ description: "Whether the person is kept out." })),
        }),
        response: { 200: PersonView },
        detail: {
          summary: "Change a person",
          description: "Every login and session of the person ends with it.",
        },
      },
    )
    .delete(
      "/:user_name",
      async ({ params: { user_name }, request, set }) => {
        await persons.remove(http.callerOf(request), user_name);
        set.status = 204;
      },
      {
        params,
        response: { 204: t.Void() },
        detail: {
          summary: "Remove a person",
          description:
            "The logins and the API keys of the person end with it. The last admin stays.",
        },
      },
    );

const passwordRoutes = ({ persons, nowMs }: People, http: Http) =>
  new Elysia().post(
    "/:user_name/password",
    ({ body, params: { user_name }, request }) =>
      http.once(request, withoutPassword(body), async (remember) => {
        const caller = http.callerOf(request);
        const made = await persons.reset(caller, user_name, body.password, (person) =>
          remember({ status: 200, body: viewOf(person, nowMs()) }),
        );
        return { status: 200, body: madeView(made, nowMs()) };
      }),
    {
      params,
      headers: t.Object(http.onceHeaders),
      body: t.Object({ password: t.Optional(Password) }),
      response: { 200: MadeView },
      detail: {
        summary: "Give a person another password",
        description: "Every login and session of the person ends with it.",
      },
    },
  );

/** What is hashed to know a request again: a password has no place under a fast hash. */
function withoutPassword<Body extends { readonly password?: string | undefined }>(body: Body) {
  return { ...body, password: body.password !== undefined };
}

function madeView(
  { person, oneTimePassword }: { person: Person; oneTimePassword: string | undefined },
  nowMs: number,
) {
  const shown = oneTimePassword === undefined ? {} : { one_time_password: oneTimePassword };
  return { ...viewOf(person, nowMs), ...shown };
}

function viewOf(person: Person, nowMs: number): typeof PersonView.static {
  return {
    name: person.name,
    roles: person.roles as (typeof PersonView.static)["roles"],
    org: person.org ?? null,
    state: person.isDisabled ? "disabled" : "active",
    password: passwordStateOf(person, nowMs),
    password_changed_at: new Date(person.passwordAtMs).toISOString(),
    created_at: new Date(person.createdAtMs).toISOString(),
    created_by: person.createdBy,
  };
}

function passwordStateOf({ oneTimeUntilMs }: Person, nowMs: number) {
  if (oneTimeUntilMs === undefined) return "own";
  return nowMs < oneTimeUntilMs ? "one_time" : "expired";
}
