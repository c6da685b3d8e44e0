import { describe, expect, test } from "bun:test";
import { create } from "@bufbuild/protobuf";
import { httpWith } from "#test/support/http.ts";
import type { TestNode } from "#test/support/node.ts";
import { PootWorld, SLOT_MS, SLOTS } from "#test/support/poot.ts";
import { nodeCaller } from "@/core/caller.ts";
import { fromPlainProof } from "@/core/poot/plain-proof.ts";
import { decodeReceipt } from "@/core/poot/receipt.ts";
import { isProven, verifyProof } from "@/core/poot/verify.ts";
import { pootAccess, pootRoutes } from "@/modules/poot/routes.ts";
import { pootRpcs } from "@/modules/poot/rpc.ts";
import type { Call } from "@/ports/grpc.ts";
import type { RequestRefused } from "@/ports/refusal.ts";
import { HeartbeatRequestSchema } from "@/proto/registry_pb.ts";

async function doors(slots: number) {
  const world = await PootWorld.start();
  const home = await world.pool();
  await world.join(home, 2);
  await world.slots(slots);
  await world.close();
  const { ask } = await httpWith((http) => [
    pootRoutes(world.poot, world.registry, http),
    pootAccess,
  ]);
  const end = () => world[Symbol.asyncDispose]();
  return { world, home, ask, [Symbol.asyncDispose]: end };
}

function callOf(node: TestNode | undefined): Call {
  return {
    caller: node && nodeCaller(node.id),
    address: "192.0.2.1",
    serverLeafHash: new Uint8Array(32),
    signal: new AbortController().signal,
  };
}

describe("GET /api/v1/poot/:node_id", () => {
  test("shows the slots of each interval and the newest messages", async () => {
    await using at = await doors(15);
    const path = `/api/v1/poot/${at.world.node.id}`;
    const from = new Date(at.world.clock.now() - 3_600_000).toISOString();
    const answer = await at.ask("GET", `${path}?from=${from}`, { as: "client" });
    expect(answer.status).toBe(200);
    const body = (await answer.json()) as Record<string, never>;
    expect(body).toMatchObject({
      node_id: at.world.node.id,
      pool_id: at.home.id,
      credit_total: 15,
      intervals: [
        { slots: "UUUUUUUUUU", up: 10, ticks: 10, begins_at: "2026-01-05T12:00:00.000Z" },
        { slots: "UUUUUDDDDD", up: 5, down: 5, ticks: 5 },
      ],
    });
    expect(body["claim"]).toEqual(expect.any(String));
  });

  test("hands out the file that anybody can check", async () => {
    await using at = await doors(15);
    const path = `/api/v1/poot/${at.world.node.id}?format=file`;
    const answer = await at.ask("GET", path, { as: "auditor" });
    expect(answer.headers.get("content-disposition")).toContain("attachment");
    const proof = fromPlainProof(await answer.json());
    const keys = { poolKey: at.home.publicKey, nodeKey: at.world.node.key.publicKey };
    expect(isProven(verifyProof(proof, keys))).toBe(true);
  });

  test.each([
    ["a node nobody knows", (_: string) => "aaaa", "node.unknown", 404],
    ["a range of 32 days", (id: string) => `${id}?from=2025-12-01T00:00:00Z`, "poot.range", 400],
    [
      "a range that ends before it begins",
      (id: string) => `${id}?to=2026-01-01T00:00:00Z&from=2026-01-02T00:00:00Z`,
      "poot.range",
      400,
    ],
    ["a time that is none", (id: string) => `${id}?from=yesterday`, "request.invalid", 400],
  ])("refuses %s", async (_, path, code, status) => {
    await using at = await doors(1);
    const url = `/api/v1/poot/${path(at.world.node.id)}`;
    const answer = await at.ask("GET", url, { as: "operator" });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      status,
      code,
    ]);
  });

  test("refuses a proof where nothing is credited yet", async () => {
    await using at = await doors(0);
    const path = `/api/v1/poot/${at.world.node.id}?format=file`;
    const answer = await at.ask("GET", path, { as: "operator" });
    expect(answer.status).toBe(404);
    expect(await answer.json()).toMatchObject({ code: "poot.no_proof" });
  });
});

describe("POST /api/v1/poot/calculate", () => {
  test("recomputes a pool and a node", async () => {
    await using at = await doors(15);
    for (const json of [{}, { node_id: at.world.node.id }, { pool_id: at.home.id }]) {
      const answer = await at.ask("POST", "/api/v1/poot/calculate", { as: "auditor", json });
      const ticks = "node_id" in json ? 15 : 30;
      const cu = `${ticks * 30 * 1000 * 1000}`;
      expect(answer.status).toBe(200);
      expect(await answer.json()).toMatchObject({
        stored: { ticks, cu },
        recomputed: { ticks, cu },
        equal: true,
        ledger: null,
      });
    }
  });

  test("is not for clients", async () => {
    await using at = await doors(1);
    const answer = await at.ask("POST", "/api/v1/poot/calculate", { as: "client", json: {} });
    expect(answer.status).toBe(403);
  });
});

describe("POST /api/v1/clock", () => {
  test("accept and rewind are for administrators, and tell pool time", async () => {
    await using at = await doors(3);
    const post = (verb: string, as: string) =>
      at.ask("POST", `/api/v1/clock/${verb}`, { as, json: {} });
    expect((await post("accept", "operator")).status).toBe(403);
    at.world.clock.jump(40 * 86_400_000);
    const accepted = await post("accept", "admin");
    expect(await accepted.json()).toMatchObject({ trusted: true, epoch: 0, reason: null });
    expect((await post("rewind", "admin")).status).toBe(409);
    at.world.clock.jump(-40 * 86_400_000);
    const rewound = await post("rewind", "admin");
    expect(await rewound.json()).toMatchObject({ trusted: true, epoch: 1 });
  });
});

describe("the heartbeat calls", () => {
  test("answer with a receipt, pool time and the next moment", async () => {
    await using at = await doors(SLOTS);
    const { world } = at;
    const rpcs = pootRpcs(world.poot);
    await world.pass(SLOT_MS);
    const bytes = world.node.heartbeat(world.poot);
    const request = create(HeartbeatRequestSchema, {
      ...(bytes?.open && { open: bytes.open }),
      ...(bytes && { claim: bytes.claim }),
      ...(bytes?.receipt && { receipt: bytes.receipt }),
    });
    const reply = await rpcs.heartbeat?.(request, callOf(world.node));
    expect(reply).toMatchObject({
      poolTimeMs: BigInt(world.clock.now()),
      slot: BigInt(world.poot.poolTime().slot),
      slotSeconds: 30,
      outcome: { case: "accepted" },
    });
    const receipt = reply?.outcome.case === "accepted" && reply.outcome.value.receipt;
    expect(receipt && decodeReceipt(receipt).ticks).toBe(SLOTS + 1);
    expect(reply?.ack.length).toBe(156);
    const again = await rpcs.heartbeatStream?.(request, callOf(world.node));
    expect(again?.outcome).toEqual(reply?.outcome);
  });

  test("refuse in-band what a stream must survive, and with a status what is malformed", async () => {
    await using at = await doors(1);
    const told: RequestRefused[] = [];
    const rpcs = pootRpcs(at.world.poot, (refused) => void told.push(refused));
    const [, other] = at.world.nodes;
    await at.world.pass(SLOT_MS);
    const bytes = at.world.node.heartbeat(at.world.poot);
    const request = create(HeartbeatRequestSchema, { claim: bytes?.claim ?? new Uint8Array() });
    const reply = await rpcs.heartbeat?.(request, callOf(other));
    expect(reply?.outcome.case).toBe("unknown");
    const caller = `${other?.id}`;
    const about = { address: "192.0.2.1", caller, subject: caller, skewMs: 0 };
    expect(told).toEqual([{ door: "poot", kind: "denied", code: "poot.unknown", ...about }]);
    const empty = create(HeartbeatRequestSchema, {});
    await expect(rpcs.heartbeat?.(empty, callOf(other))).rejects.toMatchObject({
      code: "poot.malformed",
    });
    await expect(rpcs.heartbeat?.(request, callOf(undefined))).rejects.toMatchObject({
      kind: "unauthenticated",
    });
  });
});
