import { Elysia, t } from "elysia";
import type { Node } from "@/core/node.ts";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { toBase32 } from "@/std/bytes.ts";
import { pageOf, readPage } from "@/std/paging.ts";
import type { Rotation } from "./rotation.ts";
import type { Access } from "./service.ts";

/** Who may look at the roots, and who may replace them. */
export const authorityAccess: readonly RouteAccess[] = [
  { method: "GET", path: "/api/v1/authority", access: "anyone" },
  {
    method: "GET",
    path: "/api/v1/authority/certificates",
    access: ["admin", "operator", "auditor"],
  },
  { method: "GET", path: "/api/v1/authority/dependents", access: ["admin", "operator", "auditor"] },
  { method: "POST", path: "/api/v1/authority/rotate", access: ["admin"] },
  { method: "POST", path: "/api/v1/authority/finish", access: ["admin"] },
];

const Time = t.String({ format: "date-time" });
const Pin = t.String({ description: "SHA-256 of the root's SubjectPublicKeyInfo, base32." });

const AuthorityView = t.Object({
  installation_id: t.String(),
  root_pem: t.String({ description: "The root certificate of this installation." }),
  pin: Pin,
  pool_time: Time,
  previous: t.Nullable(
    t.Object(
      {
        root_pem: t.String({ description: "The root before." }),
        pin: Pin,
        vouched_pem: t.String({
          description: "The key and name of root_pem, signed by the root before.",
        }),
        until: Time,
      },
      { description: "Only while a root that was replaced is still believed." },
    ),
  ),
});

const CertificatesView = t.Object({
  root: t.Object({ pin: Pin, not_before: Time, not_after: Time }),
  previous: t.Nullable(
    t.Object({
      pin: Pin,
      not_after: Time,
      until: t.String({ format: "date-time", description: "Until when it is believed." }),
      nodes: t.Integer({ description: "Nodes that have not said that they keep the new root." }),
    }),
  ),
  server: t.Object({
    not_before: Time,
    not_after: Time,
    dns_names: t.Array(t.String()),
  }),
});

const DependentView = t.Object({
  node_id: t.String(),
  name: t.String(),
  pool_id: t.String(),
  state: t.String(),
  last_seen_at: t.Nullable(Time),
});
const DependentPage = t.Object({
  items: t.Array(DependentView),
  next_cursor: t.Nullable(t.String()),
});

/** What the routes are made of. */
interface RouteParts {
  readonly http: Http;
  readonly authority: Authority;
}

/** The roots of this installation: to trust them, to look at them, to replace them. */
export const authorityRoutes = (access: Access, parts: RouteParts) =>
  new Elysia({ prefix: "/api/v1/authority", tags: ["access"] })
    .use(readRoutes(access, parts))
    .use(changeRoutes(access, parts));

const readRoutes = (access: Access, { http, authority }: RouteParts) =>
  new Elysia()
    .get("", () => authorityView(authority, access.time().nowMs), {
      response: AuthorityView,
      detail: { summary: "The CA of this installation" },
    })
    .get("/certificates", () => certificatesView(authority, access.rotation), {
      response: CertificatesView,
      detail: { summary: "Root, server certificate, and a rotation under way" },
    })
    .get(
      "/dependents",
      ({ query }) => {
        const { limit, after = "" } = readPage(query);
        const found = access.rotation.dependents().filter(({ id }) => id > after);
        return pageOf(found, limit, { item: dependentView, position: ({ id }) => id });
      },
      {
        query: t.Object({ ...http.pageQuery }),
        response: DependentPage,
        detail: { summary: "List the nodes that still need the root before" },
      },
    );

const changeRoutes = ({ rotation }: Access, { http, authority }: RouteParts) =>
  new Elysia()
    .post(
      "/rotate",
      ({ request, body }) =>
        http.once(request, body, async () => {
          await rotation.rotate(http.callerOf(request));
          return { status: 200, body: certificatesView(authority, rotation) };
        }),
      {
        headers: t.Object(http.onceHeaders, { additionalProperties: true }),
        body: t.Object({}),
        response: { 200: CertificatesView },
        detail: {
          summary: "Replace the root",
          description:
            "A new root signs from now on. The one before is believed for authority.overlap_days more; " +
            "nodes fetch the new one over their own connections and go on without enrolling anew. " +
            "Refused while the root before the last rotation is still believed (`authority.rotating`).",
        },
      },
    )
    .post(
      "/finish",
      async ({ request, body }) => {
        await rotation.finish(http.callerOf(request), body.force ?? false);
        return certificatesView(authority, rotation);
      },
      {
        body: t.Object({
          force: t.Optional(
            t.Boolean({ description: "End it although nodes still need the root before." }),
          ),
        }),
        response: { 200: CertificatesView },
        detail: {
          summary: "Believe the new root only",
          description:
            "Ends the overlap of a rotation early; refused while nodes still need the root before " +
            "(`authority.root_needed`) unless it is forced.",
        },
      },
    );

function authorityView(authority: Authority, nowMs: number): typeof AuthorityView.static {
  const { previousRoot } = authority;
  return {
    installation_id: authority.installationId,
    root_pem: authority.rootPem,
    pin: toBase32(authority.pin),
    pool_time: timeText(nowMs),
    previous: previousRoot
      ? {
          root_pem: previousRoot.pem,
          pin: toBase32(previousRoot.pin),
          vouched_pem: previousRoot.vouchedPem,
          until: timeText(previousRoot.untilMs),
        }
      : null,
  };
}

function certificatesView(
  authority: Authority,
  rotation: Rotation,
): typeof CertificatesView.static {
  const { root, previous, server } = authority.facts();
  return {
    root: {
      pin: toBase32(root.spkiHash),
      not_before: timeText(root.notBeforeMs),
      not_after: timeText(root.notAfterMs),
    },
    previous: previous
      ? {
          pin: toBase32(previous.spkiHash),
          not_after: timeText(previous.notAfterMs),
          until: timeText(previous.untilMs),
          nodes: rotation.dependents().length,
        }
      : null,
    server: {
      not_before: timeText(server.notBeforeMs),
      not_after: timeText(server.notAfterMs),
      dns_names: [...server.dnsNames],
    },
  };
}

function dependentView(node: Node): typeof DependentView.static {
  return {
    node_id: node.id,
    name: node.name,
    pool_id: node.pool,
    state: node.state,
    last_seen_at: node.lastSeenMs === 0 ? null : timeText(node.lastSeenMs),
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
