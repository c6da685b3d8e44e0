import { concat, utf8 } from "@/std/bytes.ts";
import { Writer } from "@/std/codec.ts";

/** What a node is asked to sign to prove over HTTP that it holds its key. */
export interface LoginChallenge {
  readonly installationId: string;
  readonly nonce: Uint8Array;
  readonly expiresAtMs: number;
}

/** The bytes a node signs: "gp-login-v1" | installation id | nonce | expiry in ms, u64. */
export function loginMessage(challenge: LoginChallenge): Uint8Array {
  return concat(
    utf8("gp-login-v1"),
    utf8(challenge.installationId),
    challenge.nonce,
    new Writer(8).u64(challenge.expiresAtMs).done(),
  );
}
