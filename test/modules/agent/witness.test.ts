import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import pino from "pino";
import { findCosignature } from "@/core/audit/checkpoint.ts";
import { originOf, witnessKey } from "@/core/audit/log-names.ts";
import { readCheckpoint } from "@/core/audit/restart.ts";
import { Witness } from "@/modules/agent/witness.ts";
import { HeartbeatReplySchema, HeartbeatRequestSchema } from "@/proto/registry_pb.ts";
import { checkpointOf, linesOf, logSigner, treeOf } from "../../core/audit/world.ts";
import { AgentWorld, type TestAgent } from "./world.ts";

const SET = { "audit.hold_seconds": 0, "audit.checkpoint_seconds": 10 };

/** What the pool keeps that nodes cosigned. */
function cosignedOf(world: AgentWorld) {
  return readCheckpoint(world.files.readText("audit/cosigned.txt") ?? "");
}

function witnessed(node: TestAgent) {
  return node.another().witnessed();
}

/** The pool is told of every act at its doors: another token is one. */
async function grow(world: AgentWorld, node: TestAgent): Promise<number> {
  await world.token();
  const before = witnessed(node).checkpoint?.size ?? 0;
  const size = () => witnessed(node).checkpoint?.size ?? 0;
  await world.turn("the node to witness more", () => size() > before);
  return size();
}

setDefaultTimeout(60_000);

describe("a node as a witness", () => {
  test("accepts what the pool signs, keeps it, and its cosignature comes back", async () => {
    await using world = await AgentWorld.start({ set: SET });
    const node = await world.member();
    node.run();
    const first = await grow(world, node);
    expect(await grow(world, node)).toBeGreaterThan(first);
    await node.beats();
    await node.beats();
    await grow(world, node);
    await world.close();
    await world.open();
    const cosigned = cosignedOf(world);
    const key = witnessKey(node.id, node.keeping.key().publicKey);
    expect(cosigned && findCosignature(cosigned.note, key)).toBeDefined();
    expect(witnessed(node).alarm).toBeUndefined();
    await node.stop();
    node.run();
    await grow(world, node);
  });

  test("raises an alarm at a pool that rewrote its history, and never signs it again", async () => {
    await using world = await AgentWorld.start({ set: SET });
    const node = await world.member();
    const origin = originOf(node.keeping.membership().installationId, "1");
    const offered = async (
      sizes: readonly [from: number, to: number],
      lines: readonly string[],
    ) => {
      const log = pino({ level: "error" }, { write: (line: string) => void node.lines.push(line) });
      const witness = new Witness({ keeping: node.keeping, clock: world.nodeClock }, log);
      const request = create(HeartbeatRequestSchema);
      const tree = treeOf(lines);
      const [fromSize, size] = [BigInt(sizes[0]), sizes[1]];
      const checkpoint = checkpointOf(lines, { of: origin });
      const proof = [...tree.consistencyProof(Math.min(sizes[0], size), size)];
      const auditOffer = { checkpoint, publicKey: logSigner.publicKey, fromSize, proof };
      await witness.withBeat(request, async () => create(HeartbeatReplySchema, { auditOffer }));
      return witnessed(node);
    };
    expect((await offered([0, 3], linesOf(3))).checkpoint?.size).toBe(3);
    expect((await offered([3, 5], linesOf(5))).checkpoint?.size).toBe(5);
    const rewritten = [...linesOf(4), "else", "more"];
    expect(await offered([5, 6], rewritten)).toMatchObject({
      checkpoint: { size: 5 },
      alarm: expect.stringContaining("does not begin with the 5 this node saw"),
    });
    expect(node.said("not to be believed")).toBe(true);
    expect((await offered([5, 7], linesOf(7))).checkpoint?.size).toBe(5);
  });

  test("whose file is damaged cosigns nothing until a person has looked", async () => {
    await using world = await AgentWorld.start({ set: SET });
    const node = await world.member();
    node.run();
    await grow(world, node);
    await node.stop();
    const path = `witness/${node.keeping.membership().installationId}.json`;
    node.files.write(path, '{"checkpoint":1}');
    node.run();
    await world.token();
    await node.beats();
    await node.beats();
    expect(node.files.readText(path)).toBe('{"checkpoint":1}');
    expect(witnessed(node).alarm).toContain("is damaged");
    node.files.remove(path);
    await node.stop();
    node.run();
    await grow(world, node);
  });
});
