import { describe, expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { MoneyWorld } from "#test/support/money-world.ts";
import { codeOf } from "#test/support/registry.ts";
import { type Caller, nodeCaller } from "@/core/caller.ts";
import { NO_STATEMENT } from "@/core/payout/address.ts";
import { payoutRpcs } from "@/modules/payouts/rpc.ts";
import type { Poot } from "@/modules/poot/service.ts";
import type { Call } from "@/ports/grpc.ts";
import { GetStandingRequestSchema, SetPayoutAddressRequestSchema } from "@/proto/registry_pb.ts";
import { assert } from "@/std/assert.ts";
import { toHex } from "@/std/bytes.ts";

async function start() {
  const world = await MoneyWorld.start();
  const pool = await world.pool();
  const node = await world.node(pool, null);
  const slots = { up: 7, down: 1, unobserved: 2, planned: 0 };
  const poot = { poolTime: () => world.credits.poolTime(), today: () => slots };
  const rpcs = payoutRpcs({
    payouts: world.payouts,
    registry: world.registry,
    poot: poot as unknown as Poot,
  });
  assert(rpcs.getStanding && rpcs.setPayoutAddress, "both are served");
  const { getStanding, setPayoutAddress } = rpcs;
  const set = (statement: Uint8Array, caller: Caller | undefined = nodeCaller(node.id)) =>
    setPayoutAddress(create(SetPayoutAddressRequestSchema, { statement }), callBy(caller));
  const standing = (caller: Caller | undefined = nodeCaller(node.id)) =>
    getStanding(create(GetStandingRequestSchema), callBy(caller));
  return { world, pool, node, set, standing };
}

function callBy(caller: Caller | undefined): Call {
  return { caller } as Call;
}

describe("the calls of a node about its money", () => {
  test("say what it has, when it is paid, and where", async () => {
    const { world, pool, node, set, standing } = await start();
    const before = await standing();
    expect([before.hold, before.address?.state, before.nextPayoutAtMs]).toEqual([
      "no_address",
      "",
      0n,
    ]);
    expect(before.address?.statementHash).toEqual(NO_STATEMENT);
    const statement = world.statement(node, pool, { address: "bank 1" });
    const address = await set(statement);
    expect([address.rail, address.address, address.state]).toEqual([
      "manual",
      "bank 1",
      "confirmed",
    ]);
    expect(toHex(address.statementHash)).toBe(toHex(world.hashOf(statement)));
    world.earn(pool, 1, node);
    const after = await standing();
    expect(after).toMatchObject({
      nodeId: node.id,
      poolId: pool.id,
      slotsUp: 7,
      slotsUnobserved: 2,
      owedMicroUsdt: "10000",
      payableMicroUsdt: "0",
      paidMicroUsdt: "0",
      thresholdMicroUsdt: "10000000",
      hold: "",
    });
    const hours = (Number(after.nextPayoutAtMs) - world.clock.now()) / 3_600_000;
    expect(Math.round(hours)).toBe(999);
  });

  test("are refused without a node's certificate", async () => {
    const { set, standing } = await start();
    const operator: Caller = { type: "operator", id: "operator:local", roles: ["admin"] };
    expect(await codeOf(set(new Uint8Array(3), operator))).toBe("access.denied");
    expect(await codeOf(standing(operator))).toBe("access.denied");
    const nobody = async () => standing(null as unknown as undefined);
    expect(await codeOf(nobody())).toBe("access.unauthenticated");
  });
});
