import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  hash,
  type KeyObject,
  sign as nodeSign,
  verify as nodeVerify,
} from "node:crypto";
import { concat } from "./bytes.ts";
import { isWeakKey } from "./weak-key.ts";

const PKCS8_PREFIX = Buffer.from("302e020100300506032b657004220420", "hex");
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");
/** Making one takes 3 % of a verification, keeping one half a kilobyte. */
const VERIFY_KEYS_MAX = 1_000;
const verifyKeys = new Map<string, KeyObject>();

/** SHA-256 over all parts in order. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array {
  const [whole = new Uint8Array(0)] = parts.length === 1 ? parts : [concat(...parts)];
  return new Uint8Array(hash("sha256", whole, "buffer"));
}

/** HMAC-SHA-256 over all parts in order. */
export function hmacSha256(key: Uint8Array, ...parts: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac("sha256", key);
  for (const part of parts) mac.update(part);
  return new Uint8Array(mac.digest());
}

/** An Ed25519 key pair (RFC 8032): it signs, and knows its own public key of 32 bytes. */
export interface SigningKey {
  readonly publicKey: Uint8Array;
  sign(message: Uint8Array): Uint8Array;
}

/** The Ed25519 key pair of a 32-byte seed. */
export function signingKey(seed: Uint8Array): SigningKey {
  const der = Buffer.concat([PKCS8_PREFIX, seed]);
  const secret = createPrivateKey({ key: der, format: "der", type: "pkcs8" });
  const spki = createPublicKey(secret).export({ format: "der", type: "spki" });
  return {
    publicKey: new Uint8Array(spki.subarray(-32)),
    sign: (message) => new Uint8Array(nodeSign(null, message, secret)),
  };
}

/**
 * Whether an Ed25519 signature holds. A key or signature that is malformed just does not hold, nor
 * does a key of small order; that S is canonical is already checked below us.
 */
export function verifySignature(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== 32 || signature.length !== 64) return false;
  try {
    const key = verifyKeyOf(publicKey);
    return key !== undefined && nodeVerify(null, message, key, signature);
  } catch {
    return false;
  }
}

/** A message, and who is said to have signed it. */
export interface SignedMessage {
  readonly publicKey: Uint8Array;
  readonly message: Uint8Array;
  readonly signature: Uint8Array;
}

/** The same, checked by another thread: the event loop goes on meanwhile, at some more cost in all. */
export function verifySignatureAside(signed: SignedMessage): Promise<boolean> {
  const { publicKey, message, signature } = signed;
  if (publicKey.length !== 32 || signature.length !== 64) return Promise.resolve(false);
  return new Promise((resolve, reject) => {
    const key = verifyKeyOf(publicKey);
    if (!key) return resolve(false);
    nodeVerify(null, message, key, signature, (error, holds) =>
      error ? reject(error) : resolve(holds),
    );
  });
}

function verifyKeyOf(publicKey: Uint8Array): KeyObject | undefined {
  const id = Buffer.from(publicKey).toString("latin1");
  const known = verifyKeys.get(id);
  if (known) return known;
  if (isWeakKey(publicKey)) return undefined;
  const der = Buffer.concat([SPKI_PREFIX, publicKey]);
  const key = createPublicKey({ key: der, format: "der", type: "spki" });
  if (verifyKeys.size >= VERIFY_KEYS_MAX) verifyKeys.clear();
  verifyKeys.set(id, key);
  return key;
}
