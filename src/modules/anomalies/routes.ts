import { Elysia, t } from "elysia";
import { RULES, sentenceOf } from "@/core/anomaly/rules.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { pageOf, readPage } from "@/std/paging.ts";
import type { Anomalies } from "./service.ts";
import type { Anomaly } from "./table.ts";

const LOOKING = ["admin", "operator", "auditor"] as const;

/** Who may see warnings, and who may say that they were seen. */
export const anomalyAccess: readonly RouteAccess[] = [
  { method: "GET", path: "/api/v1/anomalies", access: LOOKING, reach: "installation" },
  {
    method: "GET",
    path: "/api/v1/anomalies/:anomaly_id",
    access: LOOKING,
    reach: "installation",
  },
  {
    method: "POST",
    path: "/api/v1/anomalies/:anomaly_id/acknowledge",
    reach: "installation",
    access: ["admin", "operator"],
  },
];

const AnomalyView = t.Object({
  anomaly_id: t.String(),
  rule: t.UnionEnum(Object.keys(RULES) as [string, ...string[]], {
    description: "What was noticed.",
  }),
  subject: t.String({ description: "Whom it concerns: an address, a caller, a node." }),
  count: t.Integer({ description: "How often, or from how many addresses." }),
  state: t.UnionEnum(["open", "acknowledged"]),
  sentence: t.String(),
  advice: t.String({ description: "What to do about it." }),
  first_at: t.String({ format: "date-time" }),
  last_at: t.String({ format: "date-time" }),
  acknowledged_at: t.Nullable(t.String({ format: "date-time" })),
  acknowledged_by: t.Nullable(t.String()),
  note: t.Nullable(t.String()),
});

const AnomalyPage = t.Object({
  items: t.Array(AnomalyView),
  next_cursor: t.Nullable(t.String()),
});

const Params = t.Object({
  anomaly_id: t.String({ pattern: "^[1-9][0-9]{0,14}$", description: "Its number." }),
});

/** Warnings: what looks like an attack or a mistake, and who has seen it. */
export const anomalyRoutes = (anomalies: Anomalies, http: Http) =>
  new Elysia({ prefix: "/api/v1/anomalies", tags: ["watch"] })
    .get(
      "",
      async ({ query }) => {
        const page = readPage(query);
        const found = await anomalies.list(page, query.state ?? "all");
        return pageOf(found, page.limit, { item: viewOf, position: ({ id }) => `${id}` });
      },
      {
        query: t.Object({
          ...http.pageQuery,
          state: t.Optional(
            t.UnionEnum(["all", "open", "acknowledged"], {
              description: "Which ones; all if unstated.",
            }),
          ),
        }),
        response: AnomalyPage,
        detail: { summary: "List anomalies, the newest first" },
      },
    )
    .get("/:anomaly_id", async ({ params }) => viewOf(await anomalies.get(+params.anomaly_id)), {
      params: Params,
      response: AnomalyView,
      detail: { summary: "One anomaly, and what to do about it" },
    })
    .post(
      "/:anomaly_id/acknowledge",
      async ({ request, params, body }) => {
        const caller = http.callerOf(request);
        return viewOf(await anomalies.acknowledge(caller, +params.anomaly_id, body?.note));
      },
      {
        params: Params,
        body: t.Optional(
          t.Object({
            note: t.Optional(
              t.String({ maxLength: 500, description: "What came of it, for the next reader." }),
            ),
          }),
        ),
        response: AnomalyView,
        detail: {
          summary: "Say that an anomaly was seen",
          description:
            "It is closed; the same is not raised again for anomalies.quiet_seconds. Doing it twice changes nothing.",
        },
      },
    );

function viewOf(anomaly: Anomaly): typeof AnomalyView.static {
  const { id, rule, subject, count, firstAtMs, lastAtMs, acknowledged } = anomaly;
  return {
    anomaly_id: `${id}`,
    rule,
    subject,
    count,
    state: acknowledged ? "acknowledged" : "open",
    sentence: sentenceOf(rule, subject, count),
    advice: RULES[rule].advice,
    first_at: timeText(firstAtMs),
    last_at: timeText(lastAtMs),
    acknowledged_at: acknowledged ? timeText(acknowledged.atMs) : null,
    acknowledged_by: acknowledged?.by ?? null,
    note: acknowledged?.note ?? null,
  };
}

function timeText(ms: number): string {
  return new Date(ms).toISOString();
}
