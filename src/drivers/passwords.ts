import { defineModule } from "@/kernel/module.ts";
import type { Passwords } from "@/ports/passwords.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    passwords: Passwords;
  }
}

/** How much work a hash is. */
export interface PasswordWork {
  readonly memoryKib: number;
  readonly passes: number;
}

/** Argon2id of Bun, one lane. */
export function createPasswords({ memoryKib, passes }: PasswordWork): Passwords {
  const work = { algorithm: "argon2id", memoryCost: memoryKib, timeCost: passes } as const;
  return {
    hash: (password) => Bun.password.hash(password, work),
    verify: (password, hash) => Bun.password.verify(password, hash, "argon2id"),
  };
}

/** Provides `passwords`. */
export const passwords = defineModule({
  name: "passwords",
  needs: [],
  provides: "passwords",
  config: (t) =>
    t.Object({
      memory_kib: t.Integer({
        default: 19_456,
        minimum: 19_456,
        maximum: 1_048_576,
        description:
          "Memory one hash of a password takes; at most access.hashes_at_once at a time.",
      }),
      passes: t.Integer({
        default: 2,
        minimum: 2,
        maximum: 20,
        description: "How often a hash of a password goes over its memory.",
      }),
    }),
  start: (_services, { config }) =>
    createPasswords({ memoryKib: config.memory_kib, passes: config.passes }),
});
