import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { requireOwnMachine } from "@/modules/agent/own-machine.ts";
import { isRefusal } from "@/std/errors.ts";
import { AgentWorld, type TestAgent } from "./world.ts";

setDefaultTimeout(60_000);

type Marks = TestAgent["marks"];

const HERE: Marks = { board: "/board=1", system: "/system=1" };

async function codeOf(act: Promise<unknown>): Promise<string> {
  try {
    await act;
  } catch (error) {
    if (isRefusal(error)) return error.code;
    throw error;
  }
  return "allowed";
}

describe("a node's folder", () => {
  test.each<readonly [string, Marks, Marks, string]>([
    ["on the same machine", HERE, HERE, "allowed"],
    [
      "copied to another board with its system",
      HERE,
      { ...HERE, board: "/board=2" },
      "node.other_machine",
    ],
    ["on the same board with a new system", HERE, { ...HERE, system: "/system=2" }, "allowed"],
    [
      "on another system, boards unknown",
      { system: "/system=1" },
      { system: "/system=2" },
      "node.other_machine",
    ],
    ["read by another user", { board: "/uuid=1", system: "/system=1" }, HERE, "allowed"],
    [
      "read by another user elsewhere",
      { board: "/uuid=1", system: "/system=1" },
      { board: "/board=2", system: "/system=2" },
      "node.other_machine",
    ],
    ["in a container", HERE, {}, "allowed"],
    ["from a container", {}, HERE, "allowed"],
  ])("%s: %j, then %j: %s", async (_, before, now, code) => {
    await using world = await AgentWorld.start();
    const node = world.machine();
    const partsWith = (marks: Marks) => ({
      keeping: node.keeping,
      machine: { marks: () => marks },
    });
    requireOwnMachine(partsWith(before));
    expect(refusalCode(() => requireOwnMachine(partsWith(now)))).toBe(code);
  });

  test("keeps no serial number, only hashes", async () => {
    await using world = await AgentWorld.start();
    const node = world.machine();
    const marks = { board: "/board=SERIAL-7" };
    requireOwnMachine({ keeping: node.keeping, machine: { marks: () => marks } });
    expect(node.files.readText("machine.json")).not.toContain("SERIAL-7");
  });
});

describe("a card that was copied to another board", () => {
  test("does not run, is not paid elsewhere, does not leave for the first, and says what to do", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    node.marks = { ...HERE, board: "/board=2" };
    expect(refusalCode(() => void node.agent.run())).toBe("node.other_machine");
    expect(await codeOf(node.agent.setAddress("manual", "thief"))).toBe("node.other_machine");
    expect(await codeOf(node.agent.leave())).toBe("node.other_machine");
    expect(await codeOf(node.join(await world.token()))).toBe("node.other_machine");
    expect(() => void node.agent.run()).toThrow(/re-join with .*--new-node.*--same-node/);
    expect(world.registry.getNode(node.id).status).toBe("member");
  });

  test("becomes a node of its own when it is told so", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    const first = node.id;
    node.marks = { ...HERE, board: "/board=2" };
    await node.join(await world.token(), { node: "new" });
    expect(node.id).not.toBe(first);
    node.run();
    await node.beats();
    expect(world.registry.getNode(first).status).toBe("member");
  });

  test("goes on as the same node when the board was swapped, without using its token up", async () => {
    await using world = await AgentWorld.start();
    const node = await world.member();
    const first = node.id;
    node.marks = { ...HERE, board: "/board=2" };
    const token = await world.token();
    await node.join(token, { node: "same" });
    expect(node.id).toBe(first);
    node.run();
    await node.beats();
    await world.machine().join(token);
  });
});
