import { defineModule } from "@/kernel/module.ts";
import type { Checks, Verdict } from "@/ports/checks.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    checks: Checks;
  }
}

/** The list of readiness checks. */
export function createChecks(): Checks {
  const probes = new Map<string, () => Verdict | Promise<Verdict>>();
  return {
    add: (name, probe) => void probes.set(name, probe),
    async run() {
      const verdicts = new Map<string, Verdict>();
      for (const [name, probe] of probes) verdicts.set(name, await verdictOf(probe));
      return verdicts;
    },
  };
}

async function verdictOf(probe: () => Verdict | Promise<Verdict>): Promise<Verdict> {
  try {
    return await probe();
  } catch (error) {
    return { ok: false, detail: error instanceof Error ? error.message : "the check failed" };
  }
}

/** Provides `checks`. */
export const checks = defineModule({
  name: "checks",
  needs: [],
  provides: "checks",
  start: createChecks,
});
