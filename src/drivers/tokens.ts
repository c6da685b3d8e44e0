import { base64url, errors, importJWK, type JWTPayload, jwtVerify } from "jose";
import { defineModule } from "@/kernel/module.ts";
import type { AccessClaims, PublicJwk, Tokens } from "@/ports/tokens.ts";
import { toBase32, utf8 } from "@/std/bytes.ts";
import { type SigningKey, sha256 } from "@/std/crypto.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    tokens: Tokens;
  }
}

const AUDIENCE = "galaxy-pool";
const SKEW_SECONDS = 30;
const TOKEN_LETTERS_MAX = 4_096;
const KEYS_MAX = 16;

type VerifyKey = Awaited<ReturnType<typeof importJWK>>;

/** Access tokens over jose. Only signing is done here, so that the key never leaves its owner. */
export function createTokens(): Tokens {
  const imported = new Map<string, VerifyKey>();
  const keyOf = async (publicKey: Uint8Array): Promise<VerifyKey> => {
    const jwk = jwkOf(publicKey);
    const known = imported.get(jwk.kid);
    if (known) return known;
    const key = await importJWK({ ...jwk }, jwk.alg);
    if (imported.size >= KEYS_MAX) imported.clear();
    imported.set(jwk.kid, key);
    return key;
  };
  return {
    sign,
    jwk: jwkOf,
    async verify(token, keys, { issuer, nowMs }) {
      if (token.length > TOKEN_LETTERS_MAX) return undefined;
      const find = (header: { kid?: string }) => {
        const publicKey = keys.find((key) => kidOf(key) === header.kid);
        if (!publicKey) throw new errors.JWKSNoMatchingKey();
        return keyOf(publicKey);
      };
      const options = {
        algorithms: ["EdDSA"],
        issuer,
        audience: AUDIENCE,
        typ: "JWT",
        clockTolerance: SKEW_SECONDS,
        currentDate: new Date(nowMs),
        requiredClaims: ["sub", "role", "jti", "sid", "iat", "nbf", "exp"],
      };
      try {
        return claimsIn((await jwtVerify(token, find, options)).payload);
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}

function sign(key: SigningKey, claims: AccessClaims): string {
  const header = { alg: "EdDSA", typ: "JWT", kid: kidOf(key.publicKey) };
  const issuedAt = Math.floor(claims.issuedAtMs / 1000);
  const payload = {
    iss: claims.issuer,
    aud: AUDIENCE,
    sub: claims.subject,
    role: claims.role,
    roles: claims.roles,
    org: claims.org,
    scopes: claims.scopes,
    jti: claims.id,
    sid: claims.login,
    node_key: claims.nodeKey,
    gen: claims.generation,
    iat: issuedAt,
    nbf: issuedAt,
    exp: Math.floor(claims.expiresAtMs / 1000),
  };
  const said = `${partOf(header)}.${partOf(payload)}`;
  return `${said}.${base64url.encode(key.sign(utf8(said)))}`;
}

/** What the payload says to us; who may do what is asked of ourselves, never of the token. */
function claimsIn(payload: JWTPayload): AccessClaims | undefined {
  const { iss, sub, role, jti, sid, node_key: nodeKey, gen, iat, exp } = payload;
  const texts = [iss, sub, role, jti, sid, nodeKey ?? "", gen ?? ""];
  if (!texts.every((text) => typeof text === "string")) return undefined;
  const [issuer = "", subject = "", roleName = "", id = "", login = "", key, generation] =
    texts as string[];
  const times = { issuedAtMs: Number(iat) * 1000, expiresAtMs: Number(exp) * 1000 };
  const bound = { ...(key ? { nodeKey: key } : {}), ...(generation ? { generation } : {}) };
  return { issuer, subject, role: roleName, id, login, ...bound, ...times };
}

function jwkOf(publicKey: Uint8Array): PublicJwk {
  return {
    kty: "OKP",
    crv: "Ed25519",
    alg: "EdDSA",
    use: "sig",
    kid: kidOf(publicKey),
    x: base64url.encode(publicKey),
  };
}

function kidOf(publicKey: Uint8Array): string {
  return toBase32(sha256(publicKey)).slice(0, 16);
}

function partOf(value: object): string {
  return base64url.encode(utf8(JSON.stringify(value)));
}

/** Provides `tokens`. */
export const tokens = defineModule({
  name: "tokens",
  needs: [],
  provides: "tokens",
  start: createTokens,
});
