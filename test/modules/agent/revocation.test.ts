import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { loginMessage } from "@/core/login.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { createDialer } from "@/drivers/dialer/module.ts";
import { Enrolment } from "@/proto/enrolment_pb.ts";
import { Registry } from "@/proto/registry_pb.ts";
import { isRefusal, type PoolError } from "@/std/errors.ts";
import { AgentWorld, operator, SLOT_MS, type TestAgent } from "./world.ts";

setDefaultTimeout(60_000);

const certificates = createCertificates();

/** A connection of a node beside the one it runs on. */
function connect(world: AgentWorld, { keeping }: TestAgent) {
  const privateKeyPem = certificates.privateKeyPem(keeping.seed(() => new Uint8Array()));
  const identity = { certificatePem: keeping.certificatePem(), privateKeyPem };
  const terms = { rootPem: keeping.rootPem(), identity, nowMs: world.nodeClock.now() };
  return createDialer(certificates).connect(world.address, terms);
}

/** The access token of a node that signed in. */
async function accessToken({ access, authority }: AgentWorld, { id, keeping }: TestAgent) {
  const { nonce, expiresAtMs } = access.challenge(id);
  const { installationId } = authority;
  const message = loginMessage({ installationId, nonce, expiresAtMs });
  const answer = { nonce, signature: keeping.key().sign(message) };
  return (await access.login("127.0.0.1", id, answer)).accessToken;
}

async function rekey(world: AgentWorld, node: TestAgent): Promise<void> {
  const csr = await certificates.createRequest(crypto.getRandomValues(new Uint8Array(32)));
  const connection = await connect(world, node);
  const oldKeySignature = node.keeping.key().sign(csr);
  await connection.call(Enrolment.method.renew, { csr, oldKeySignature });
  connection.close();
}

const ACTS = {
  suspended: (world: AgentWorld, { id }: TestAgent) => world.registry.suspend(operator, id),
  removed: (world: AgentWorld, { id }: TestAgent) => world.registry.remove(operator, id),
  rekeyed: rekey,
};
const CODES = {
  suspended: "node.suspended",
  removed: "node.removed",
  rekeyed: "certificate.refused",
};

describe("a node that was", () => {
  test.each(["suspended", "removed", "rekeyed"] as const)(
    "%s has no stream, no watch, no access token and no credit any more",
    async (act) => {
      await using world = await AgentWorld.start();
      const node = await world.member();
      node.run();
      for (let slot = 0; slot < 2; slot++) await node.beats();
      const connection = await connect(world, node);
      const ended = Promise.withResolvers<PoolError | undefined>();
      const began = Promise.withResolvers<void>();
      const watch = connection.watch(Registry.method.watchNodes, {});
      watch.onMessage(() => began.resolve());
      watch.onEnd(ended.resolve);
      await began.promise;
      const authorization = `Bearer ${await accessToken(world, node)}`;
      const who = () =>
        world.access.authenticate(new Request("https://pool/", { headers: { authorization } }));
      expect((await who())?.id).toBe(node.id);

      await ACTS[act](world, node);
      await expect(who()).rejects.toThrow();
      // The pool's clock stands still: it is cut at once, and 5 s are far away.
      expect((await ended.promise)?.code).toBe("connection.ended");
      connection.close();
      const { up } = world.poot.today(node.id);
      for (let slot = 0; slot < 4; slot++) await world.pass(SLOT_MS);
      expect(world.poot.today(node.id).up).toBe(up);
      const again = await connect(world, node);
      const asked = again.call(Registry.method.getNode, {}).catch((error: unknown) => error);
      expect((await asked) as PoolError).toMatchObject({ code: CODES[act] });
      again.close();
    },
  );
});

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
