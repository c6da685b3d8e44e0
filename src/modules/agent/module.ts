import { defineModule } from "@/kernel/module.ts";
import { Keeping } from "./keeping.ts";
import { Agent } from "./service.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    agent: Agent;
  }
}

/** The node's side of a pool. */
export const agent = defineModule({
  name: "agent",
  needs: ["files", "clock", "random", "certificates", "dialer", "machine"],
  provides: "agent",
  start({ files, ...services }, { log, defer }) {
    const keeping = new Keeping(files);
    const service = new Agent({ ...services, keeping }, log);
    defer(() => service.stop());
    return service;
  },
});
