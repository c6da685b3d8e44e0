import { describe, expect, test } from "bun:test";
import { PootWorld, SLOTS } from "#test/support/poot.ts";
import { nodeCaller } from "@/core/caller.ts";
import { findEquivocation } from "@/core/poot/evidence.ts";
import { decodeIntervalBlob } from "@/core/poot/interval-blob.ts";
import { type NodeMemory, nextClaim, startSession } from "@/core/poot/node-session.ts";

/** More sessions than a pool keeps the marks of. */
const MANY = 40;

describe("a node that wants evidence against its pool", () => {
  test("gets no second ACK of a claim whose session it made the pool forget", async () => {
    await using world = await PootWorld.start();
    const home = await world.pool();
    await world.join(home, 1);
    await world.slots(SLOTS);
    await world.close();
    const credited = world.node.memory();
    for (let session = 0; session < MANY; session++) {
      world.node.restart();
      await world.slots(2, (at) => at === 0 && world.node.beat(world.poot));
    }
    await world.close();
    handIn(world, home.publicKey, credited);
    await world.slots(SLOTS, () => {});
    await world.close();
    expect(await equivocations(world, home.publicKey)).toBe(0);
    expect(await world.creditedTicks(world.node)).toBeLessThanOrEqual(SLOTS + MANY + 1);
  });
});

/** A new session of the node, with what it kept of another one. */
function handIn({ node, poot }: PootWorld, poolKey: Uint8Array, memory: NodeMemory): void {
  const { slot, slotSeconds } = poot.poolTime();
  const who = { key: node.key, poolKey, slotSeconds, isExclusive: false };
  const facts = { slot, healthPermille: 1000, flags: 0 };
  const { heartbeat } = nextClaim(startSession(who, slot, memory), who, facts);
  if (!heartbeat) throw new Error("there is nothing to send");
  expect(poot.heartbeat(nodeCaller(node.id), heartbeat).answer.type).toBe("accepted");
}

async function equivocations({ database }: PootWorld, poolKey: Uint8Array): Promise<number> {
  const rows = await database.sql.selectFrom("poot_interval").selectAll().execute();
  const acks = rows
    .flatMap(({ blob }) => decodeIntervalBlob(blob).nodes)
    .flatMap((node) => node.rows.map((row) => row.ack));
  expect(acks.length).toBeGreaterThan(MANY / SLOTS);
  const found = acks.flatMap((first, at) =>
    acks.slice(at + 1).flatMap((second) => findEquivocation(poolKey, first, second) ?? []),
  );
  return found.length;
}
