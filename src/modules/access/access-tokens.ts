import type { Authority } from "@/modules/certificates/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { AccessClaims, Tokens } from "@/ports/tokens.ts";
import { badCredentials } from "./refusals.ts";

/** For how long a verified token is believed without verifying it again. */
const BELIEVED_MS = 5_000;
const BELIEVED_MAX = 2_000;

/** What verifying tokens takes. */
export interface AccessTokenParts {
  readonly clock: Clock;
  readonly authority: Authority;
  readonly tokens: Tokens;
}

interface Believed {
  readonly claims: AccessClaims;
  readonly untilMs: number;
}

/** Access tokens of ours: whom they stand for is asked at each request, their signature less often. */
export class AccessTokens {
  readonly #parts: AccessTokenParts;
  readonly #believed = new Map<string, Believed>();

  constructor(parts: AccessTokenParts) {
    this.#parts = parts;
  }

  /** What a token says; refuses one that is not ours or out of time. */
  async claimsIn(token: string): Promise<AccessClaims> {
    return this.#believedClaims(token) ?? (await this.#verifiedClaims(token));
  }

  #believedClaims(token: string): AccessClaims | undefined {
    const { clock } = this.#parts;
    const believed = this.#believed.get(token);
    if (!believed || clock.monotonic() >= believed.untilMs) return undefined;
    return clock.now() < believed.claims.expiresAtMs ? believed.claims : undefined;
  }

  async #verifiedClaims(token: string): Promise<AccessClaims> {
    const { authority, tokens, clock } = this.#parts;
    const keys = authority.jwtKeys().map(({ publicKey }) => publicKey);
    const expected = { issuer: authority.installationId, nowMs: clock.now() };
    const claims = await tokens.verify(token, keys, expected);
    if (!claims) throw badCredentials();
    if (this.#believed.size >= BELIEVED_MAX) this.#believed.clear();
    this.#believed.set(token, { claims, untilMs: clock.monotonic() + BELIEVED_MS });
    return claims;
  }
}
