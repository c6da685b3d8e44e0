import { defineModule } from "@/kernel/module.ts";
import { Audit } from "./service.ts";
import { AUDIT_MIGRATIONS } from "./table.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    audit: Audit;
  }
}

/** Keeps who did what. */
export const audit = defineModule({
  name: "audit",
  needs: ["database", "clock"],
  provides: "audit",
  async start({ database, clock }) {
    await database.migrate(AUDIT_MIGRATIONS);
    return new Audit(database, clock);
  },
});
