import { describe, expect, test } from "bun:test";
import { databases } from "#test/support/database.ts";
import { parseToken } from "@/core/token.ts";
import { toBase32 } from "@/std/bytes.ts";
import { type AccessWorld, accessWorld, DAY_MS, operator, refusal } from "./world.ts";

const OVERLAP_MS = 30 * DAY_MS;

/** Asks as the operator, and reads what was answered. */
async function asked(world: AccessWorld, method: string, path: string, json?: unknown) {
  const more = json === undefined ? {} : { json };
  const answer = await world.ask(method, `/api/v1/authority/${path}`, {
    as: world.operatorToken,
    ...more,
  });
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON came
  return { status: answer.status, body: (await answer.json()) as any };
}

describe.each(databases())("a rotation on $kind", (kind) => {
  test("is one row of the audit, and tokens name the new root from then on", async () => {
    await using world = await accessWorld(kind);
    const pool = await world.pool();
    const before = toBase32(world.authority.pin);
    const { status, body } = await asked(world, "POST", "rotate", {});
    expect(status).toBe(200);
    const now = toBase32(world.authority.pin);
    expect([body.root.pin, body.previous.pin]).toEqual([now, before]);
    expect(body.previous.until).toBe(new Date(world.clock.now() + OVERLAP_MS).toISOString());
    expect(toBase32(parseToken(await world.token(pool)).pin)).toBe(now);
    expect((await world.actions()).filter((one) => one === "authority.rotated")).toHaveLength(1);
  });

  test("cut off before its row is forgotten at the next start, and after it completed", async () => {
    await using world = await accessWorld(kind);
    const before = world.authority.rootPem;
    await world.authority.prepareRoot(world.clock.now());
    const again = await world.restarted();
    expect([again.authority.rootPem, again.authority.preparedRoot()]).toEqual([before, undefined]);

    const { pin } = await again.authority.prepareRoot(world.clock.now());
    const { audit, database } = again;
    await database.commit([audit.row(operator, "authority.rotated", toBase32(pin))]);
    const last = await again.restarted();
    expect(last.authority.pin).toEqual(pin);
    expect(last.authority.previousRoot?.pem.trim()).toBe(before.trim());
  });

  test("ended by a row is ended at the next start, whatever was left", async () => {
    await using world = await accessWorld(kind);
    await world.access.rotation.rotate(operator);
    const { previousRoot } = world.authority;
    const row = world.audit.row(
      operator,
      "authority.finished",
      toBase32(previousRoot?.pin ?? world.authority.pin),
    );
    await world.database.commit([row]);
    const again = await world.restarted();
    expect(again.authority.previousRoot).toBeUndefined();
  });

  test("is remembered over a restart, and with it who has followed", async () => {
    await using world = await accessWorld(kind);
    const pool = await world.pool();
    const [first, second] = [await world.member(pool), await world.member(pool)];
    await world.access.rotation.rotate(operator);
    await first.renew({ trustedPin: world.authority.pin });
    const again = await world.restarted();
    expect(again.access.rotation.dependents().map(({ id }) => id)).toEqual([second.id]);
  });
});

describe("the root before", () => {
  test("is not ended while nodes need it; they are listed, and each that follows is not", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const members = [await world.member(pool), await world.member(pool), await world.member(pool)];
    await asked(world, "POST", "rotate", {});
    const first = await asked(world, "GET", "dependents?limit=2");
    expect(first.body.items[0]).toHaveProperty("last_seen_at");
    expect(first.body.items).toHaveLength(2);
    const rest = await asked(world, "GET", `dependents?limit=2&cursor=${first.body.next_cursor}`);
    const listed = [...first.body.items, ...rest.body.items].map(({ node_id }) => node_id);
    expect(listed).toEqual(members.map(({ id }) => id).sort());

    const [one, two, three] = members;
    await one?.renew({ trustedPin: world.authority.pin });
    await two?.renew({ trustedPin: world.authority.previousRoot?.pin ?? new Uint8Array() });
    const early = await asked(world, "POST", "finish", {});
    expect([early.status, early.body.code]).toEqual([409, "authority.root_needed"]);
    expect(early.body.detail).toContain("2 node(s)");

    await two?.renew({ trustedPin: world.authority.pin });
    await three?.renew({ trustedPin: world.authority.pin });
    const done = await asked(world, "POST", "finish", {});
    expect([done.status, done.body.previous]).toEqual([200, null]);
    const again = await asked(world, "POST", "finish", {});
    expect(again.body.code).toBe("authority.not_rotating");
    expect(await world.actions()).toContain("authority.finished");
  });

  test("is ended all the same when that is forced; a node left behind joins again as the same", async () => {
    await using world = await accessWorld();
    const pool = await world.pool();
    const member = await world.member(pool);
    const { certificate } = await member.renew();
    await asked(world, "POST", "rotate", {});
    expect(world.access.callerOfCertificate(certificate).node).toBe(member.id);
    expect((await asked(world, "POST", "finish", { force: true })).status).toBe(200);
    expect(() => world.access.callerOfCertificate(certificate)).toThrow(/was replaced/);
    expect(await refusal(member.enroll(await world.token(pool)))).toBe("node.exists");
    const { nodeId } = await member.renew({ trustedPin: world.authority.pin });
    expect(nodeId).toBe(member.id);
  });

  test("is believed to the last moment of the overlap, and not a moment longer", async () => {
    await using world = await accessWorld();
    const member = await world.member(await world.pool());
    const { rotation } = world.access;
    await rotation.rotate(operator);
    world.clock.advance(OVERLAP_MS - 1);
    await rotation.finishWhenOver();
    expect(rotation.dependents().map(({ id }) => id)).toEqual([member.id]);
    world.clock.advance(1);
    await rotation.finishWhenOver();
    expect(world.authority.previousRoot).toBeUndefined();
    expect(await world.actions()).toContain("authority.finished");
  });

  test("says nothing of a node that names a root nobody knows", async () => {
    await using world = await accessWorld();
    const member = await world.member(await world.pool());
    await world.access.rotation.rotate(operator);
    await member.renew({ trustedPin: new Uint8Array(32).fill(7) });
    expect(world.access.rotation.dependents()).toHaveLength(1);
    expect(world.authority.hasNewsFor(member.id)).toBe(true);
    await member.renew({ trustedPin: world.authority.pin });
    expect(world.authority.hasNewsFor(member.id)).toBe(false);
  });
});

describe("rotating again", () => {
  test("is refused while the root before is believed, and by many at once but for one", async () => {
    await using world = await accessWorld();
    const { rotation } = world.access;
    const tries = await Promise.all(
      Array.from({ length: 8 }, () => refusal(rotation.rotate(operator))),
    );
    expect(tries.toSorted()).toEqual(["allowed", ...Array(7).fill("authority.rotating")]);
    expect((await world.actions()).filter((one) => one === "authority.rotated")).toHaveLength(1);
  });

  test("works once the one before is over", async () => {
    await using world = await accessWorld();
    const { rotation } = world.access;
    const pins = [toBase32(world.authority.pin)];
    for (let turn = 0; turn < 3; turn++) {
      await rotation.rotate(operator);
      pins.push(toBase32(world.authority.pin));
      await rotation.finish(operator, false);
    }
    expect(new Set(pins).size).toBe(4);
  });

  test("does not happen while the pool's clock is not believed", async () => {
    await using world = await accessWorld();
    const { nowMs, slot, slotSeconds } = world.access.time();
    world.access.keepTimeWith(() => ({ nowMs, slot, slotSeconds, trusted: false }));
    expect(await refusal(world.access.rotation.rotate(operator))).toBe("clock.untrusted");
  });
});

describe("GetAuthority", () => {
  test("shows the root before and what it says of the root now, to anybody, over both doors", async () => {
    await using world = await accessWorld();
    await world.access.rotation.rotate(operator);
    const { previousRoot } = world.authority;
    const { getAuthority } = world.rpcs;
    if (!getAuthority || !previousRoot) throw new Error("the overlap has begun");
    const said = await getAuthority(
      { $typeName: "galaxy.pool.v1.GetAuthorityRequest" },
      world.call(),
    );
    expect(said.rootCertificate).toEqual(world.authority.rootDer);
    expect(said.previousRootCertificate).toEqual(previousRoot.der);
    expect(said.vouchedCertificate).toEqual(previousRoot.vouchedDer);
    expect(Number(said.previousUntilMs)).toBe(previousRoot.untilMs);
    const view = await world.ask("GET", "/api/v1/authority");
    expect(await view.json()).toMatchObject({
      root_pem: world.authority.rootPem,
      previous: { root_pem: previousRoot.pem, vouched_pem: previousRoot.vouchedPem },
    });
  });
});

describe("who may rotate", () => {
  test("is an admin; a node and nobody are refused", async () => {
    await using world = await accessWorld();
    const member = await world.member(await world.pool());
    const { access_token } = await member.login();
    for (const path of ["rotate", "finish"]) {
      const path_ = `/api/v1/authority/${path}`;
      expect((await world.ask("POST", path_, { json: {} })).status).toBe(401);
      expect((await world.ask("POST", path_, { json: {}, as: access_token })).status).toBe(403);
    }
    expect(world.authority.previousRoot).toBeUndefined();
  });
});
