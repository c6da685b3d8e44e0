import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { isRefusal } from "@/std/errors.ts";
import { AgentWorld, operator, SLOT_MS } from "./world.ts";

setDefaultTimeout(60_000);

describe("a node that runs", () => {
  test.each(["suspend", "remove"] as const)(
    "is cut within 5 s when it is told to %s",
    async (act) => {
      await using world = await AgentWorld.start();
      const node = await world.member();
      node.run();
      await node.beats();
      await world.registry[act](operator, node.id);
      await world.pass(5_000);
      const cutMs = world.registry.getNode(node.id).lastSeenMs;
      for (let slot = 0; slot < 3; slot++) await world.pass(SLOT_MS);
      expect(world.registry.getNode(node.id).lastSeenMs).toBe(cutMs);
      const refused = await node.agent.standing().catch((error: unknown) => error);
      expect(isRefusal(refused) && refused.code).toBe(
        `node.${act}${act === "remove" ? "d" : "ed"}`,
      );
    },
  );
});
