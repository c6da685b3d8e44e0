import { POOL_KINDS, type PoolKind } from "@/core/pool.ts";
import { type AnyModule, defineModule } from "@/kernel/module.ts";
import { toBase32 } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";
import { makeFirstPool } from "./first-pool.ts";
import { initialise } from "./initialise.ts";

/** What `init` wants, and whom it tells. */
export interface InitTerms {
  readonly name: string;
  readonly kind: string;
  readonly done: (made: {
    readonly installationId: string;
    readonly pin: string;
    readonly pool: { readonly id: string; readonly name: string; readonly kind: string };
    readonly fresh: boolean;
  }) => void;
}

/** Makes a new installation: keys, CA, and the keys of its first pool. Repeating it changes nothing. */
export function initialisation(terms: InitTerms): AnyModule {
  return defineModule({
    name: "initialisation",
    needs: ["files", "certificates", "random", "clock"],
    async start({ files, certificates, random, clock }) {
      const kind = kindOf(terms.kind);
      const made = await initialise({ files, certificates, random, nowMs: clock.now() });
      const pool = makeFirstPool(files, random, { name: terms.name, kind });
      terms.done({ installationId: made.id, pin: toBase32(made.pin), pool, fresh: made.created });
    },
  });
}

function kindOf(text: string): PoolKind {
  const kind = POOL_KINDS.find((known) => known === text);
  if (kind) return kind;
  throw new PoolError(
    "invalid",
    "pool.invalid",
    `"${text}" is no kind of pool; choose ${POOL_KINDS.join(", ")}.`,
  );
}
