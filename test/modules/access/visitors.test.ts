import { describe, expect, test } from "bun:test";
import { databases } from "#test/support/database.ts";
import { solveWork } from "@/core/enrolment-work.ts";
import type { PoolId } from "@/core/ids.ts";
import { fromBase64, toBase64 } from "@/std/bytes.ts";
import { type AccessWorld, accessWorld, type Machine, operator, refusal } from "./world.ts";

const MINUTE_MS = 60_000;
const UNKNOWN = "a".repeat(26);

const park = async (world: AccessWorld): Promise<PoolId> =>
  (await world.registry.createPool(operator, { name: "park", visibility: "public" })).id;

/** A challenge over HTTP, and what solves it for a machine. */
async function solved(world: AccessWorld, machine: Machine, changes: { bits?: number } = {}) {
  const asked = await world.ask("POST", "/api/v1/enrolments/challenge", { json: {} });
  const { challenge, difficulty_bits } = (await asked.json()) as {
    challenge: string;
    difficulty_bits: number;
  };
  const work = {
    challenge: fromBase64(challenge) ?? new Uint8Array(),
    nodeKey: machine.key.publicKey,
    bits: changes.bits ?? difficulty_bits,
  };
  const node_key = toBase64(machine.key.publicKey);
  return { challenge, counter: solveWork(work, 0, 1e6) ?? -1, node_key };
}

const proof = (world: AccessWorld, json: unknown) =>
  world.ask("POST", "/api/v1/enrolments/proof", { json });

async function codeIn(answer: Response): Promise<string> {
  return ((await answer.json()) as { code: string }).code;
}

describe.each([...databases()])("a stranger on $kind", (kind) => {
  test("works for a token of a public pool, and is pending with it", async () => {
    await using world = await accessWorld(kind);
    const pool = await park(world);
    const machine = world.machine();
    const answer = await proof(world, await solved(world, machine));
    expect(answer.status).toBe(201);
    const { token, pool_id } = (await answer.json()) as { token: string; pool_id: string };
    expect(pool_id).toBe(pool);
    await machine.enroll(token);
    expect(world.registry.getNode(machine.id)).toMatchObject({ status: "pending", pool });
    expect(await world.actions()).toContain("node.pending");
  });

  test("cannot hand its token on, nor use it twice", async () => {
    await using world = await accessWorld(kind);
    await park(world);
    const machine = world.machine();
    const answer = await proof(world, await solved(world, machine));
    const { token } = (await answer.json()) as { token: string };
    expect(await refusal(world.machine().enroll(token))).toBe("enrolment.refused");
    await machine.enroll(token);
    expect(await refusal(world.machine().enroll(token))).toBe("enrolment.refused");
  });
});

describe("work", () => {
  test("is good once, in its time, for its key, and as it was asked for", async () => {
    await using world = await accessWorld();
    await park(world);
    const machine = world.machine();
    const first = await solved(world, machine);
    expect((await proof(world, first)).status).toBe(201);
    expect(await codeIn(await proof(world, first))).toBe("enrolment.work_refused");
    const late = await solved(world, machine);
    world.clock.advance(5 * MINUTE_MS);
    expect(await codeIn(await proof(world, late))).toBe("enrolment.work_refused");
    const other = await solved(world, machine);
    const node_key = toBase64(world.machine().key.publicKey.map((byte) => byte ^ 1));
    const bytes = fromBase64(other.challenge) ?? new Uint8Array();
    const easier = toBase64(bytes.map((byte, at) => (at === 0 ? 0 : byte)));
    const tries = [
      { ...other, challenge: easier },
      { ...other, challenge: "AAAA" },
    ];
    for (const wrong of tries) {
      expect(await codeIn(await proof(world, wrong))).toBe("enrolment.work_refused");
    }
    const hard = world.access.visitors.work(undefined);
    const handedOn = { ...other, node_key, counter: -1 };
    expect((await proof(world, handedOn)).status).toBe(400);
    expect(hard.bits).toBeGreaterThan(5);
  });

  test("is not asked for a pool that is private, as for one there is not", async () => {
    await using world = await accessWorld();
    const home = await world.pool();
    const ask = async (pool_id?: string) => {
      const asked = await world.ask("POST", "/api/v1/enrolments/challenge", { json: { pool_id } });
      const { code, detail } = (await asked.json()) as { code: string; detail: string };
      return [asked.status, code, detail.replace(pool_id ?? "", "ID")];
    };
    expect(await ask(home)).toEqual(await ask(UNKNOWN));
    expect((await ask(UNKNOWN)).slice(0, 2)).toEqual([404, "pool.unknown"]);
    expect((await ask()).slice(0, 2)).toEqual([409, "pool.unnamed"]);
  });

  test("is spared to who has credentials, and a wrong key is not", async () => {
    await using world = await accessWorld();
    const pool = await park(world);
    const machine = world.machine();
    const nodeKey = machine.key.publicKey;
    const asked = { nodeKey, apiKey: world.operatorToken, poolId: pool } as never;
    const reply = await world.rpcs.requestToken?.(asked, world.call());
    await machine.enroll(reply?.token ?? "");
    expect(world.registry.getNode(machine.id).status).toBe("pending");
    const wrong = { nodeKey, apiKey: `gpo_${"a".repeat(26)}`, poolId: pool } as never;
    const tried = async () => world.rpcs.requestToken?.(wrong, world.call());
    expect(await refusal(tried())).toBe("access.unauthenticated");
    const node_key = toBase64(nodeKey);
    const http = { as: world.operatorToken, json: { node_key } };
    expect((await world.ask("POST", "/api/v1/enrolments", http)).status).toBe(201);
    expect((await world.ask("POST", "/api/v1/enrolments", { json: { node_key } })).status).toBe(
      401,
    );
  });
});
