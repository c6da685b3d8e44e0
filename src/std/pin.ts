import { X509Certificate } from "node:crypto";
import { sha256 } from "./crypto.ts";

/** What names a root: the SHA-256 of its SubjectPublicKeyInfo; undefined for what is no certificate. */
export function pinOf(pem: string): Uint8Array | undefined {
  try {
    const { publicKey } = new X509Certificate(pem);
    return sha256(new Uint8Array(publicKey.export({ type: "spki", format: "der" })));
  } catch {
    return undefined;
  }
}
