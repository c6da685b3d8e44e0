import type { Certificates } from "@/ports/certificates.ts";
import { toHex } from "@/std/bytes.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";

/** What a client showed in the handshake. TLS has proven that it holds the key; the rest is ours. */
export type Shown =
  | { readonly type: "none" }
  | { readonly type: "foreign" }
  | {
      readonly type: "ours";
      readonly der: Uint8Array;
      /** Who it is, before anybody says so: SHA-256 of its key, hexadecimal. */
      readonly key: string;
      readonly notBeforeMs: number;
      readonly notAfterMs: number;
    };

/** Judges all of a certificate that cannot change while the connection lasts. */
export function judge(
  der: Uint8Array | undefined,
  roots: readonly Uint8Array[],
  certificates: Certificates,
): Shown {
  if (der === undefined) return { type: "none" };
  if (!roots.some((root) => certificates.isSignedBy(der, root))) return { type: "foreign" };
  try {
    const { usages, spkiHash, notBeforeMs, notAfterMs } = certificates.read(der);
    if (!usages.includes("client")) return { type: "foreign" };
    return { type: "ours", der, key: toHex(spkiHash), notBeforeMs, notAfterMs };
  } catch (thrown) {
    if (isRefusal(thrown)) return { type: "foreign" };
    throw thrown;
  }
}

/** The client certificate a call may rely on now; refuses when there is none. */
export function certificateNow(shown: Shown, nowMs: number): Uint8Array {
  if (shown.type === "none") {
    throw refusal("missing", "This call needs a node certificate; join the pool first.");
  }
  if (shown.type === "foreign") {
    throw refusal("foreign", "The pool's root did not sign this certificate for a client; join.");
  }
  if (nowMs < shown.notBeforeMs) {
    throw refusal("not_yet_valid", "The certificate is not valid yet; compare the clocks.");
  }
  if (nowMs > shown.notAfterMs) {
    throw refusal("expired", "The certificate has expired; renew it.");
  }
  return shown.der;
}

function refusal(code: string, message: string): PoolError {
  return new PoolError("unauthenticated", `certificate.${code}`, message);
}
