import type { SigningKey } from "@/std/crypto.ts";

/** What an access token says. */
export interface AccessClaims {
  /** The installation that issued it. */
  readonly issuer: string;
  /** Whom it stands for: a node id, `user:<name>` or `key:<id>`. */
  readonly subject: string;
  /** The first of its roles. */
  readonly role: string;
  /** All of them, for people and keys. */
  readonly roles?: readonly string[];
  readonly org?: string;
  readonly scopes?: readonly string[];
  readonly id: string;
  /** The login it came from; ending the login ends it. */
  readonly login: string;
  /** The key a node signed in with, base32; another key ends it. */
  readonly nodeKey?: string;
  /** What changes with everything that ends a person's logins. */
  readonly generation?: string;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
}

/** A public key as others fetch it to verify our tokens (RFC 7517). */
export interface PublicJwk {
  readonly kty: "OKP";
  readonly crv: "Ed25519";
  readonly alg: "EdDSA";
  readonly use: "sig";
  readonly kid: string;
  readonly x: string;
}

/** Access tokens: JWTs for the audience `galaxy-pool`, signed with EdDSA and nothing else. */
export interface Tokens {
  sign(key: SigningKey, claims: AccessClaims): string;
  /**
   * What a token says when one of our keys signed it, it is ours and it is in time (30 s of skew);
   * undefined in every other case, whatever a stranger sends.
   */
  verify(
    token: string,
    keys: readonly Uint8Array[],
    expected: { readonly issuer: string; readonly nowMs: number },
  ): Promise<AccessClaims | undefined>;
  jwk(publicKey: Uint8Array): PublicJwk;
}
