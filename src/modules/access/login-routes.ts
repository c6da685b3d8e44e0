import { Elysia, t } from "elysia";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Http, RouteAccess } from "@/ports/http.ts";
import type { Tokens } from "@/ports/tokens.ts";
import { fromBase64, toBase64 } from "@/std/bytes.ts";
import type { Grant } from "./node-logins.ts";
import { badCredentials } from "./refusals.ts";
import type { Access } from "./service.ts";

/** Who may call which of these routes: all begin before anybody is known. */
export const loginRoutesAccess: readonly RouteAccess[] = [
  { method: "POST", path: "/api/v1/auth/challenge", access: "anyone" },
  { method: "POST", path: "/api/v1/auth/token", access: "anyone" },
  { method: "POST", path: "/api/v1/auth/password", access: "anyone" },
  { method: "POST", path: "/api/v1/auth/refresh", access: "anyone" },
  { method: "POST", path: "/api/v1/auth/revoke", access: "anyone" },
  { method: "GET", path: "/.well-known/jwks.json", access: "anyone" },
];

const NodeField = t.String({ minLength: 1, maxLength: 64, description: "Which node signs in." });
const SignedNonce = t.Object({
  node_id: NodeField,
  nonce: t.String({ maxLength: 128 }),
  signature: t.String({
    maxLength: 128,
    description:
      'Ed25519, base64, over "gp-login-v1" | installation id | nonce | expiry in ms, u64.',
  }),
});
const proofFields = {
  user: t.String({ minLength: 1, maxLength: 64, description: "Who signs in." }),
  password: t.String({ minLength: 1, maxLength: 512 }),
};
const PasswordProof = t.Object(proofFields);
const KeyProof = t.Object({ api_key: t.String({ minLength: 1, maxLength: 64 }) });
const RefreshBody = t.Object({ refresh_token: t.String({ minLength: 1, maxLength: 128 }) });
const GrantView = t.Object({
  access_token: t.String(),
  token_type: t.Literal("Bearer"),
  expires_in: t.Integer({ description: "Seconds the access token lives." }),
  refresh_token: t.String({ description: "Good for one use." }),
  refresh_expires_in: t.Integer(),
});
const Jwk = t.Object({
  kty: t.String(),
  crv: t.String(),
  alg: t.String(),
  use: t.String(),
  kid: t.String(),
  x: t.String(),
});

/** How nodes, people and keys sign in over HTTP, and the keys by which others verify what they get. */
export const loginRoutes = (
  access: Access,
  { http, authority, tokens }: { http: Http; authority: Authority; tokens: Tokens },
) =>
  new Elysia({ tags: ["access"] })
    .post(
      "/api/v1/auth/challenge",
      ({ body }) => {
        const { nonce, expiresAtMs } = access.challenge(body.node_id);
        return { nonce: toBase64(nonce), expires_at: new Date(expiresAtMs).toISOString() };
      },
      {
        body: t.Object({ node_id: NodeField }),
        response: t.Object({
          nonce: t.String({ description: "Base64; part of what the node signs." }),
          expires_at: t.String({ format: "date-time" }),
        }),
        detail: { summary: "Get a nonce to sign" },
      },
    )
    .post(
      "/api/v1/auth/token",
      async ({ request, body, set }) => {
        set.headers["cache-control"] = "no-store";
        const address = http.addressOf(request);
        if ("user" in body) return viewOf(await access.loginWithPassword(address, body));
        if ("api_key" in body) return viewOf(await access.loginWithKey(address, body.api_key));
        const answer = { nonce: bytesOf(body.nonce), signature: bytesOf(body.signature) };
        return viewOf(await access.login(address, body.node_id, answer));
      },
      {
        body: t.Union([SignedNonce, PasswordProof, KeyProof], {
          description: "A signed nonce, a user and password, or an API key.",
        }),
        response: GrantView,
        detail: {
          summary: "Sign in with a signed nonce, a password or an API key",
          description:
            "Who fails too often is kept out by address (429, Retry-After); nobody is locked out by name.",
        },
      },
    )
    .post(
      "/api/v1/auth/password",
      async ({ request, body, set }) => {
        const { new_password: chosen, ...proof } = body;
        await access.choosePassword(http.addressOf(request), proof, chosen);
        set.status = 204;
      },
      {
        body: t.Object({
          ...proofFields,
          new_password: t.String({ minLength: 1, maxLength: 512, description: "The next one." }),
        }),
        response: { 204: t.Void() },
        detail: {
          summary: "Choose one's own password",
          description:
            "With the password before it, or one made by an admin. Every login of the person ends.",
        },
      },
    )
    .post(
      "/api/v1/auth/refresh",
      async ({ request, body, set }) => {
        set.headers["cache-control"] = "no-store";
        return viewOf(await access.refresh(http.addressOf(request), body.refresh_token));
      },
      { body: RefreshBody, response: GrantView, detail: { summary: "Get the next tokens" } },
    )
    .post(
      "/api/v1/auth/revoke",
      async ({ body, set }) => {
        await access.revoke(body.refresh_token);
        set.status = 204;
      },
      {
        body: RefreshBody,
        response: { 204: t.Void() },
        detail: { summary: "End a login", description: "An unknown token changes nothing." },
      },
    )
    .get(
      "/.well-known/jwks.json",
      () => ({ keys: authority.jwtKeys().map(({ publicKey }) => tokens.jwk(publicKey)) }),
      {
        response: t.Object({ keys: t.Array(Jwk) }),
        detail: { summary: "The keys that verify access tokens" },
      },
    );

function bytesOf(text: string): Uint8Array {
  const bytes = fromBase64(text);
  if (!bytes) throw badCredentials();
  return bytes;
}

function viewOf(grant: Grant): typeof GrantView.static {
  return {
    access_token: grant.accessToken,
    token_type: "Bearer",
    expires_in: grant.expiresInSeconds,
    refresh_token: grant.refreshToken,
    refresh_expires_in: grant.refreshExpiresInSeconds,
  };
}
