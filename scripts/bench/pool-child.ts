import { nodeIdOf } from "@/core/ids.ts";
import { loginMessage } from "@/core/login.ts";
import { signingKey } from "@/std/crypto.ts";
import { BenchPool, type PoolTerms, seedOf } from "./bench-pool.ts";

/** A pool in a process of its own, and what the bench asks of it. */
export async function openPool(terms: PoolTerms) {
  const pool = await BenchPool.open(terms);
  return {
    reach: (_: null) => pool.reached(),
    admit: ({ from, count }: { from: number; count: number }) => pool.admit(from, count),
    certify: ({ from, count }: { from: number; count: number }) => pool.certify(from, count),
    nextSlot: (_: null) => pool.nextSlot(),
    collect: (_: null) => Bun.gc(true),
    login: (number: number) => loginOf(pool, number),
    stop: (_: null) => pool.stop(),
  };
}

/** An access token, as a node gets it over HTTP. */
async function loginOf(pool: BenchPool, number: number): Promise<string> {
  const { kernel } = pool;
  const key = signingKey(seedOf(number));
  const node = nodeIdOf(key.publicKey);
  const access = kernel.service("access");
  const { nonce, expiresAtMs } = access.challenge(node);
  const { installationId } = kernel.service("authority");
  const signature = key.sign(loginMessage({ installationId, nonce, expiresAtMs }));
  const { accessToken } = await access.login("127.0.0.1", node, { nonce, signature });
  return accessToken;
}
