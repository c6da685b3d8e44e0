import { newTerms, poolKindOf } from "@/core/pool.ts";
import { type AnyModule, defineModule } from "@/kernel/module.ts";
import { toBase32 } from "@/std/bytes.ts";
import { makeFirstPool } from "./first-pool.ts";
import { initialise } from "./initialise.ts";

/** What `init` wants, and whom it tells. */
export interface InitTerms {
  /** What the first pool is to be. */
  readonly name: string;
  readonly kind: string;
  readonly org?: string | undefined;
  readonly done: (made: {
    readonly installationId: string;
    readonly pin: string;
    readonly pool: { readonly id: string; readonly name: string; readonly kind: string };
    readonly fresh: boolean;
  }) => void;
}

/**
 * Makes a new installation: keys, CA, and the keys of its first pool. Repeating it changes nothing.
 * A pool that could not be is refused at once: its row is written only at the first start.
 */
export function initialisation({ name, kind, org, done }: InitTerms): AnyModule {
  const wanted = newTerms({ name, kind: poolKindOf(kind), org });
  return defineModule({
    name: "initialisation",
    needs: ["files", "certificates", "random", "clock"],
    async start({ files, certificates, random, clock }) {
      const made = await initialise({ files, certificates, random, nowMs: clock.now() });
      const pool = makeFirstPool(files, random, wanted);
      done({ installationId: made.id, pin: toBase32(made.pin), pool, fresh: made.created });
    },
  });
}
