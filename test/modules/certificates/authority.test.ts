import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { temporaryFolder } from "#test/support/folder.ts";
import { refusalCode } from "#test/support/refusal-code.ts";
import { nodeIdOf, poolIdOf } from "@/core/ids.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { openFiles } from "@/drivers/files.ts";
import { systemRandom } from "@/drivers/random.ts";
import { initialise } from "@/modules/certificates/initialise.ts";
import { Authority } from "@/modules/certificates/service.ts";
import type { Files } from "@/ports/files.ts";
import { sha256, signingKey } from "@/std/crypto.ts";

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);
const certificates = createCertificates();
const random = systemRandom();
const BOARD = { dnsNames: ["pi", "pi.local"], ipAddresses: ["192.0.2.7", "2001:db8::7"] };

function authorityIn(files: Files, names = () => BOARD): Authority {
  return new Authority({ files, certificates, random, names, overlapMs: 30 * 86_400_000 });
}

function makeIn(files: Files, nowMs = NOW) {
  return initialise({ files, certificates, random, nowMs });
}

/** An initialised data folder; `using` removes it. */
async function installation() {
  const folder = temporaryFolder();
  const files = openFiles(folder.path);
  const made = await makeIn(files);
  return { files, made, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

describe("an installation", () => {
  test("is refused with the command that makes it, where there is none", () => {
    using folder = temporaryFolder();
    const act = () => authorityIn(openFiles(folder.path));
    expect(refusalCode(act)).toBe("data.not_initialised");
    expect(act).toThrow(/galaxy-pool init/);
  });

  test("keeps its identity when it is made again", async () => {
    using place = await installation();
    const again = await makeIn(place.files, NOW + DAY_MS);
    expect(again).toEqual({ ...place.made, created: false });
    expect(place.made.created).toBe(true);
    expect(authorityIn(place.files).installationId).toBe(place.made.id);
  });

  test.each([
    ["before anything was written", ["root.pem", "audit.seed", "installation"]],
    ["before the audit key", ["audit.seed", "installation"]],
    ["before the end", ["installation"]],
  ])("cut off %s is whole after the next init", async (_, missing) => {
    using place = await installation();
    for (const name of missing) place.files.remove(`keys/${name}`);
    expect(refusalCode(() => authorityIn(place.files))).toBe("data.not_initialised");
    const again = await makeIn(place.files);
    expect(again.created).toBe(true);
    expect(again.rootPem === place.made.rootPem).toBe(!missing.includes("root.pem"));
    expect(authorityIn(place.files).installationId).toBe(again.id);
  });

  test.each(["keys/root.pem", "keys/audit.seed"])(
    "that lost %s gets no new one, for nodes trust the old one",
    async (path) => {
      using place = await installation();
      place.files.remove(path);
      await expect(makeIn(place.files)).rejects.toThrow(/Restore it from a backup/);
      expect(refusalCode(() => authorityIn(place.files))).toBe("data.damaged");
    },
  );

  test("that lost its JWT key gets a new one from init", async () => {
    using place = await installation();
    for (const name of place.files.list("keys/jwt")) place.files.remove(`keys/jwt/${name}`);
    expect(refusalCode(() => authorityIn(place.files).jwtKey())).toBe("data.not_initialised");
    await makeIn(place.files);
    expect(refusalCode(() => authorityIn(place.files).jwtKey())).toBe("allowed");
  });

  test("has a root of ten years whose key the pin names", async () => {
    using place = await installation();
    const root = new X509Certificate(place.made.rootPem);
    const spki = root.publicKey.export({ type: "spki", format: "der" });
    expect(place.made.pin).toEqual(sha256(new Uint8Array(spki)));
    expect(root.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    expect(root.ca).toBe(true);
    expect(root.validToDate.getTime()).toBe(NOW + 3_650 * DAY_MS);
    expect(authorityIn(place.files).pin).toEqual(place.made.pin);
  });

  test("signs with distinct keys", async () => {
    using place = await installation();
    const authority = authorityIn(place.files);
    const { publicKey } = authority.createPool();
    const keys = [authority.jwtKey().publicKey, authority.auditKey().publicKey, publicKey];
    expect(new Set(keys.map(String)).size).toBe(3);
  });

  test.each([
    ["keys/audit.seed", new Uint8Array(31)],
    ["keys/root.pem", "not a certificate"],
  ])("whose %s is damaged is not served, nor made anew", async (path, content) => {
    using place = await installation();
    place.files.write(path, content);
    expect(refusalCode(() => authorityIn(place.files))).toBe("data.damaged");
    await makeIn(place.files).catch(() => undefined);
    expect(refusalCode(() => authorityIn(place.files))).toBe("data.damaged");
  });
});

describe("the server's certificate", () => {
  test("has the names of the pool and of the board, for 90 days", async () => {
    using place = await installation();
    const authority = authorityIn(place.files);
    await authority.ensureLeaf(NOW);
    const leaf = new X509Certificate(authority.leaf().certificatePem);
    const facts = certificates.read(authority.leaf().certificatePem);
    expect(facts.uris).toEqual([`spiffe://${place.made.id}/pool`]);
    expect(facts.dnsNames).toEqual(["pool.galaxy-pool.internal", "localhost", "pi", "pi.local"]);
    expect(["127.0.0.1", "192.0.2.7", "2001:db8::7"].map((ip) => leaf.checkIP(ip))).not.toContain(
      undefined,
    );
    expect(facts.usages).toEqual(["server"]);
    expect(facts.notAfterMs).toBe(NOW + 90 * DAY_MS);
    expect(certificates.isSignedBy(leaf.raw, authority.rootDer)).toBe(true);
    expect(authority.leafHash()).toEqual(sha256(new Uint8Array(leaf.raw)));
  });

  test("outlives a restart, and is renewed at half of its life", async () => {
    using place = await installation();
    const first = authorityIn(place.files);
    await first.ensureLeaf(NOW);
    const authority = authorityIn(place.files);
    expect(authority.leafHash()).toEqual(first.leafHash());
    expect(await authority.renewOwn(NOW + 44 * DAY_MS)).toBe(false);
    const served: string[] = [];
    await authority.onLeaf((pair) => void served.push(pair.certificatePem));
    expect(await authority.renewOwn(NOW + 45 * DAY_MS)).toBe(true);
    expect(served).toHaveLength(2);
    expect(served[1]).toBe(authority.leaf().certificatePem);
    expect(authority.leafHash()).not.toEqual(first.leafHash());
    expect(authorityIn(place.files).leafHash()).toEqual(authority.leafHash());
  });

  test("is renewed when the board gets another name or address, and only then", async () => {
    using place = await installation();
    let names = BOARD;
    const authority = authorityIn(place.files, () => names);
    await authority.ensureLeaf(NOW);
    names = { ...BOARD, ipAddresses: [...BOARD.ipAddresses].toReversed() };
    expect(await authority.renewOwn(NOW)).toBe(false);
    names = { ...BOARD, ipAddresses: ["192.0.2.8"] };
    expect(await authority.renewOwn(NOW)).toBe(true);
    expect(await authority.renewOwn(NOW)).toBe(false);
  });

  test("of another root is not served", async () => {
    using place = await installation();
    using other = await installation();
    await authorityIn(other.files).ensureLeaf(NOW);
    place.files.write("keys/server.pem", other.files.readText("keys/server.pem") ?? "");
    const authority = authorityIn(place.files);
    await authority.ensureLeaf(NOW);
    const der = certificates.toDer(authority.leaf().certificatePem);
    expect(certificates.isSignedBy(der, authority.rootDer)).toBe(true);
  });

  test("is not renewed by a clock that is not trusted", async () => {
    using place = await installation();
    const authority = authorityIn(place.files);
    await authority.ensureLeaf(NOW);
    authority.trustClockWhen(() => false);
    expect(await authority.renewOwn(NOW + 80 * DAY_MS)).toBe(false);
  });

  test("says whether it is in date, from its first moment to its last", async () => {
    using place = await installation();
    const authority = authorityIn(place.files);
    await authority.ensureLeaf(NOW);
    const end = authority.leafNotAfterMs();
    const looked = [NOW - DAY_MS, NOW, end - 1, end].map((at) => authority.isLeafInDate(at));
    expect(looked).toEqual([false, true, true, false]);
  });
});

describe("a node's certificate", () => {
  const key = signingKey(new Uint8Array(32).fill(3));
  const node = nodeIdOf(key.publicKey);

  test("names the node it was issued to", async () => {
    using place = await installation();
    const authority = authorityIn(place.files);
    const issued = await authority.issueNode(node, key.publicKey, NOW);
    const identity = authority.nodeOf(issued.certificate);
    expect(identity).toMatchObject({ node, publicKey: key.publicKey });
    expect(identity?.notAfterMs).toBe(NOW + DAY_MS);
    expect(authority.nodeOf(issued.certificate)).toEqual(identity);
  });

  test("is not what another installation, the server or a forger shows", async () => {
    using place = await installation();
    using other = await installation();
    const authority = authorityIn(place.files);
    await authority.ensureLeaf(NOW);
    const foreign = await authorityIn(other.files).issueNode(node, key.publicKey, NOW);
    const selfMade = await certificates.createRoot("galaxy-pool", NOW, NOW + DAY_MS);
    const forged = await certificates.issue(selfMade, key.publicKey, {
      uris: [`spiffe://${authority.installationId}/node/${node}`],
      usage: "client",
      notBeforeMs: NOW,
      notAfterMs: NOW + DAY_MS,
    });
    const server = certificates.toDer(authority.leaf().certificatePem);
    for (const certificate of [foreign.certificate, forged, server, new Uint8Array(10)]) {
      expect(authority.nodeOf(certificate)).toBeUndefined();
    }
  });

  test.each([
    ["another path", (id: string) => [`spiffe://${id}/pool/${node}`]],
    ["what is no id", (id: string) => [`spiffe://${id}/node/..`]],
    ["two names", (id: string) => [`spiffe://${id}/node/${node}`, `spiffe://${id}/pool`]],
    ["no name", () => []],
  ])("is none with %s, even from our own root", async (_, urisOf) => {
    using place = await installation();
    const authority = authorityIn(place.files);
    const [certificatePem = "", privateKeyPem = ""] =
      place.files.readText("keys/root.pem")?.split(/(?=-----BEGIN PRIVATE KEY)/) ?? [];
    const certificate = await certificates.issue({ certificatePem, privateKeyPem }, key.publicKey, {
      uris: urisOf(authority.installationId),
      usage: "client",
      notBeforeMs: NOW,
      notAfterMs: NOW + DAY_MS,
    });
    expect(authority.nodeOf(certificate)).toBeUndefined();
  });
});

describe("a pool's keys", () => {
  test("are on disk before the pool is known, and survive a restart", async () => {
    using place = await installation();
    const pool = authorityIn(place.files).createPool();
    const authority = authorityIn(place.files);
    expect(poolIdOf(pool.publicKey)).toBe(pool.id);
    expect(authority.poolKey(pool.id).publicKey).toEqual(pool.publicKey);
    expect(authority.receiptMasters(pool.id).current.secret).toHaveLength(32);
    expect(authority.receiptMasters(pool.id).previous).toBeUndefined();
  });

  test("rotate their receipt master and remember the one before", async () => {
    using place = await installation();
    const authority = authorityIn(place.files);
    const { id } = authority.createPool();
    const { current: first } = authority.receiptMasters(id);
    expect(authority.renewReceiptMaster(id, NOW)).toBe(false);
    expect(authority.renewReceiptMaster(id, NOW + 32 * DAY_MS)).toBe(true);
    const masters = authority.receiptMasters(id);
    expect(masters.previous).toEqual(first);
    expect(masters.current.keyId).toBe(first.keyId + 1);
    expect(authorityIn(place.files).receiptMasters(id)).toEqual(masters);
    expect(authority.renewReceiptMaster(id, NOW + 64 * DAY_MS)).toBe(true);
    expect(authority.receiptMasters(id).previous).toEqual(masters.current);
  });

  test("keep a receipt master as long as a receipt of the one before may be good", async () => {
    using place = await installation();
    const { id } = authorityIn(place.files).createPool();
    const renewAt = (days: number) =>
      authorityIn(place.files).renewReceiptMaster(id, NOW + days * DAY_MS);
    expect([0, 31, 31.9].map(renewAt)).toEqual([false, false, false]);
    expect([32, 33, 63].map(renewAt)).toEqual([true, false, false]);
    expect([64, 60].map(renewAt)).toEqual([true, false]);
    authorityIn(place.files).replaceReceiptMasters(id);
    expect([1, 32, 33].map(renewAt)).toEqual([false, false, true]);
  });

  test("drop all receipt masters when time begins anew", async () => {
    using place = await installation();
    const authority = authorityIn(place.files);
    const { id } = authority.createPool();
    const { current } = authority.receiptMasters(id);
    authority.replaceReceiptMasters(id);
    expect(authority.receiptMasters(id).previous).toBeUndefined();
    expect(authority.receiptMasters(id).current.secret).not.toEqual(current.secret);
    expect(authority.receiptMasters(id).current.keyId).not.toBe(current.keyId);
    expect(authorityIn(place.files).receiptMasters(id)).toEqual(authority.receiptMasters(id));
  });

  test("that are missing, damaged or another pool's are refused", async () => {
    using place = await installation();
    const authority = authorityIn(place.files);
    const [a, b] = [authority.createPool(), authority.createPool()];
    const seed = place.files.read(`keys/pools/${a.id}/pool.seed`) ?? new Uint8Array(0);
    place.files.write(`keys/pools/${b.id}/pool.seed`, seed);
    expect(refusalCode(() => authority.poolKey(b.id))).toBe("data.damaged");
    place.files.write(`keys/pools/${a.id}/receipts`, new Uint8Array(34));
    expect(refusalCode(() => authority.receiptMasters(a.id))).toBe("data.damaged");
    const unknown = poolIdOf(new Uint8Array(32));
    expect(refusalCode(() => authority.poolKey(unknown))).toBe("data.damaged");
  });
});
