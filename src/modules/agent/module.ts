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
  needs: ["files", "clock", "random", "certificates", "dialer"],
  provides: "agent",
  start({ files, clock, random, certificates, dialer }, { log, defer }) {
    const keeping = new Keeping(files);
    const service = new Agent({ keeping, clock, random, certificates, dialer }, log);
    defer(() => service.stop());
    return service;
  },
});
