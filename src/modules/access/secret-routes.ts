import { Elysia, t } from "elysia";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import type { Tokens } from "@/ports/tokens.ts";
import { OPERATOR_TOKEN_FILE } from "./operator-token.ts";
import type { Access } from "./service.ts";

const OPERATOR_TOKEN = "/api/v1/auth/operator-token/rotate";
const JWT_KEY = "/api/v1/auth/jwt-key/rotate";

/** Who may replace the secrets of the whole installation. */
export const secretRoutesAccess: readonly RouteAccess[] = [
  { method: "POST", path: OPERATOR_TOKEN, access: ["admin"], reach: "installation" },
  { method: "POST", path: JWT_KEY, access: ["admin"], reach: "installation" },
];

/** Replacing the operator's token and the key of access tokens while the pool runs. */
export const secretRoutes = (
  access: Access,
  { http, authority, tokens }: { http: Http; authority: Authority; tokens: Tokens },
) =>
  new Elysia({ tags: ["access"] })
    .post(
      OPERATOR_TOKEN,
      ({ request }) =>
        http.once(request, undefined, async (remember) => {
          const answer = { status: 200, body: { file: OPERATOR_TOKEN_FILE } };
          await access.rotateOperatorToken(http.callerOf(request), remember(answer));
          return answer;
        }),
      {
        headers: t.Object(http.onceHeaders),
        response: {
          200: t.Object({ file: t.String({ description: "Where it stands in the data folder." }) }),
        },
        detail: {
          summary: "Replace the operator's token",
          description:
            "It is written to its file and shown nowhere; the one before is dead at once.",
        },
      },
    )
    .post(
      JWT_KEY,
      ({ request }) =>
        http.once(request, undefined, async () => {
          await access.rotateJwtKey(http.callerOf(request));
          const [signing, ...others] = authority
            .jwtKeys()
            .map(({ publicKey }) => tokens.jwk(publicKey).kid);
          return { status: 200, body: { kid: signing ?? "", verifying: others } };
        }),
      {
        headers: t.Object(http.onceHeaders),
        response: {
          200: t.Object({
            kid: t.String({ description: "The key that signs now." }),
            verifying: t.Array(t.String(), { description: "Those before, for a day." }),
          }),
        },
        detail: { summary: "Replace the key that signs access tokens" },
      },
    );
