import { randomBytes } from "node:crypto";
import { defineModule } from "@/kernel/module.ts";
import type { Random } from "@/ports/random.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    random: Random;
  }
}

/** The dice of the operating system. */
export function systemRandom(): Random {
  return {
    bytes: (length) => new Uint8Array(randomBytes(length)),
    fraction: () => Math.random(),
  };
}

/** Provides the dice of the operating system. */
export const random = defineModule({
  name: "random",
  needs: [],
  provides: "random",
  start: () => systemRandom(),
});
