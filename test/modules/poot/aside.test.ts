import { expect, test } from "bun:test";
import { PootWorld } from "#test/support/poot.ts";
import { nodeCaller } from "@/core/caller.ts";
import type { HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import { isRefusal } from "@/std/errors.ts";

/** A pool with one node that has beaten, and what it sends in the next slot. */
async function nextOfOne() {
  const world = await PootWorld.start();
  await world.join(await world.pool(), 1);
  await world.slots(1);
  await world.slots(1, () => {});
  const bytes = world.node.heartbeat(world.poot);
  if (!bytes) throw new Error("nothing is due");
  const send = async (heartbeat: HeartbeatBytes) =>
    (await world.poot.heartbeatAside(nodeCaller(world.node.id), heartbeat)).answer.type;
  return { world, bytes, send };
}

test("A heartbeat checked beside the event loop is accepted once, and judged as any other.", async () => {
  const { world, bytes, send } = await nextOfOne();
  await using _ = world;
  const changed = bytes.claim.slice();
  changed[changed.length - 1] = (changed.at(-1) ?? 0) ^ 1;
  expect(await send({ ...bytes, claim: changed })).toBe("unknown");
  expect(await send(bytes)).toBe("accepted");
  expect(await send(bytes)).toBe("accepted");
  await world.close();
  expect(await world.creditedTicks(world.node)).toBe(2);
});

test("It is judged by the slot in which its check ends.", async () => {
  const { world, bytes, send } = await nextOfOne();
  await using _ = world;
  const answer = send(bytes);
  world.clock.advance(30_000 * 3);
  expect(await answer).toBe("wait");
});

test("A new session is accepted, and bytes that are none are refused.", async () => {
  const { world, bytes, send } = await nextOfOne();
  await using _ = world;
  await world.slots(1, () => {});
  world.node.restart();
  const opening = world.node.heartbeat(world.poot);
  expect(opening && (await send(opening))).toBe("accepted");
  const refused = await send({ ...bytes, claim: new Uint8Array(9) }).catch((error) => error);
  expect(isRefusal(refused) && refused.code).toBe("poot.malformed");
});
