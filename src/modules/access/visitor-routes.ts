import { Elysia, t } from "elysia";
import type { Http, RouteAccess } from "@/ports/http.ts";
import { fromBase64, toBase64 } from "@/std/bytes.ts";
import type { CreatedToken, JoinTokenRecord } from "./join-tokens.ts";
import type { Access } from "./service.ts";

/** Who may call which of these routes. */
export const visitorAccess: readonly RouteAccess[] = [
  { method: "POST", path: "/api/v1/enrolments/challenge", access: "anyone" },
  { method: "POST", path: "/api/v1/enrolments/proof", access: "anyone" },
  {
    method: "POST",
    path: "/api/v1/enrolments",
    access: ["admin", "operator", "client"],
    reach: "sight",
  },
];

const PoolWanted = t.Optional(
  t.String({ minLength: 1, maxLength: 64, description: "A public pool; unstated the only one." }),
);
const NodeKey = t.String({ maxLength: 64, description: "The node's Ed25519 key, base64." });
const time = t.String({ format: "date-time" });

const WorkView = t.Object({
  challenge: t.String({ description: "base64" }),
  difficulty_bits: t.Integer({
    description:
      'Find a counter for which SHA-256("gp-work-v1" || challenge || node key || counter as u64, big-endian) begins with so many zero bits.',
  }),
  expires_at: time,
  pool_id: t.String(),
  pool_name: t.String(),
});

const TokenView = t.Object({
  token: t.Optional(t.String({ description: "The join token; it is shown this once." })),
  pool_id: t.String(),
  expires_at: time,
});

const viewOf = ({ pool, expiresAtMs }: JoinTokenRecord) => ({
  pool_id: pool as string,
  expires_at: new Date(expiresAtMs).toISOString(),
});
const shown = ({ token, text }: CreatedToken) => ({ ...viewOf(token), token: text });
const bytesIn = (text: string) => fromBase64(text) ?? new Uint8Array();

/** How strangers get a token of a public pool; their node is pending at first. */
export const visitorRoutes = (access: Access, http: Http) =>
  new Elysia({ prefix: "/api/v1/enrolments", tags: ["access"] })
    .post(
      "/challenge",
      ({ body }) => {
        const { challenge, bits, expiresAtMs, pool } = access.visitors.work(body?.pool_id);
        return {
          challenge: toBase64(challenge),
          difficulty_bits: bits,
          expires_at: new Date(expiresAtMs).toISOString(),
          pool_id: pool.id as string,
          pool_name: pool.name,
        };
      },
      {
        body: t.Optional(t.Object({ pool_id: PoolWanted })),
        response: { 200: WorkView },
        detail: { summary: "The work to do for a token of a public pool" },
      },
    )
    .post(
      "/proof",
      async ({ body, request, status }) => {
        const visit = { address: http.addressOf(request), nodeKey: bytesIn(body.node_key) };
        const solution = { challenge: bytesIn(body.challenge), counter: body.counter };
        return status(201, shown(await access.tokenForWork(visit, solution)));
      },
      {
        body: t.Object({
          challenge: t.String({ maxLength: 256 }),
          counter: t.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }),
          node_key: NodeKey,
        }),
        response: { 201: TokenView },
        detail: { summary: "A token of a public pool for work that was done" },
      },
    )
    .post(
      "",
      ({ body, request }) =>
        http.once(request, body, async (remember) => {
          const nodeKey = bytesIn(body.node_key);
          const visit = { address: http.addressOf(request), nodeKey, pool: body.pool_id };
          const made = await access.visitors.tokenForCaller(
            http.callerOf(request),
            visit,
            (token) => remember({ status: 201, body: viewOf(token) }),
          );
          return { status: 201, body: shown(made) };
        }),
      {
        headers: t.Object(http.onceHeaders),
        body: t.Object({ pool_id: PoolWanted, node_key: NodeKey }),
        response: { 201: TokenView },
        detail: {
          summary: "A token of a public pool for who has an API key",
          description: "Needs the scope enrolments:write, where the key has scopes.",
        },
      },
    );
