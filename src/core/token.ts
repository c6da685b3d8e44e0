import { concat, fromBase32, toBase32, utf8 } from "@/std/bytes.ts";
import { Writer } from "@/std/codec.ts";
import { crc32 } from "@/std/crc32.ts";
import { hmacSha256, sha256 } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";
import { isId, type PoolId } from "./ids.ts";

/** How many random bytes name a token, and how many its secret is drawn from. */
export const TOKEN_ID_BYTES = 5;
export const SECRET_BYTES = 17;

const SHAPE = /^gp1\.([a-z2-7]{26})\.([a-z2-7]{52})\.([a-z2-7]{8})\.([a-z2-7]{26})\.([0-9a-f]{8})$/;

/** What a machine needs to join a pool: where it goes, whom it trusts, and its right to come in. */
export interface JoinToken {
  readonly pool: PoolId;
  /** SHA-256 of the root's SubjectPublicKeyInfo: the only trust a node begins with. */
  readonly pin: Uint8Array;
  readonly id: string;
  /** 26 letters, 130 bits; it never crosses the wire and the pool keeps only its hash. */
  readonly secret: string;
}

/** What an enrolment proves: that who asks knows the secret, for exactly this request on this connection. */
export interface EnrolmentClaim {
  readonly tokenId: string;
  /** The signing request, DER. */
  readonly csr: Uint8Array;
  readonly nonce: Uint8Array;
  /** SHA-256 of the server leaf that answered; a man in the middle has another. */
  readonly leafHash: Uint8Array;
  readonly nodeName: string;
  readonly specialization: string;
  readonly pool: string;
}

/** The name of a token: 8 letters of 5 random bytes. */
export function tokenIdOf(random: Uint8Array): string {
  return toBase32(random).slice(0, 8);
}

/** A secret of 130 bits, as 26 letters of 17 random bytes. */
export function secretOf(random: Uint8Array): string {
  return toBase32(random).slice(0, 26);
}

/** What the pool keeps of a secret; high entropy needs no slow hash. */
export function secretHash(secret: string): Uint8Array {
  return sha256(utf8(secret));
}

/** `GP1.<pool>.<pin>.<token id>.<secret>.<crc32>` (trust.md, section 2). */
export function formatToken(token: JoinToken): string {
  const said = `GP1.${token.pool}.${toBase32(token.pin)}.${token.id}.${token.secret}`;
  return `${said}.${checksumOf(said)}`;
}

/** The token in a text, in either case; refuses anything else (`token.malformed`). */
export function parseToken(text: string): JoinToken {
  const lower = text.trim().toLowerCase();
  const [, pool = "", pin = "", id = "", secret = "", checksum] = SHAPE.exec(lower) ?? [];
  const pinBytes = fromBase32(pin);
  if (!isId(pool) || pinBytes?.length !== 32) throw malformedToken();
  if (checksum !== checksumOf(`GP1.${pool}.${pin}.${id}.${secret}`)) throw mistypedToken();
  return { pool: pool as PoolId, pin: pinBytes, id, secret };
}

/** The HMAC an enrolment carries instead of the secret; `key` is the secret's hash. */
export function enrolmentProof(key: Uint8Array, claim: EnrolmentClaim): Uint8Array {
  const names = [claim.nodeName, claim.specialization, claim.pool].map(prefixed);
  return hmacSha256(
    key,
    utf8("gp-enroll-v1"),
    utf8(claim.tokenId),
    sha256(claim.csr),
    claim.nonce,
    claim.leafHash,
    sha256(...names),
  );
}

function prefixed(text: string): Uint8Array {
  const bytes = utf8(text);
  return concat(new Writer(2).u16(bytes.length).done(), bytes);
}

function checksumOf(said: string): string {
  return crc32(utf8(said)).toString(16).padStart(8, "0");
}

function malformedToken(): PoolError {
  return new PoolError(
    "invalid",
    "token.malformed",
    "This is not a join token. Copy the whole line that begins with GP1. and try again.",
  );
}

function mistypedToken(): PoolError {
  return new PoolError(
    "invalid",
    "token.malformed",
    "A letter of this join token is wrong: its checksum does not match. Copy it again.",
  );
}
