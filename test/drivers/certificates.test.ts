import { beforeAll, describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { createCertificates } from "@/drivers/certificates.ts";
import type { CertificatePair, LeafTerms } from "@/ports/certificates.ts";
import { sha256, signingKey } from "@/std/crypto.ts";
import { isRefusal } from "@/std/errors.ts";

const certificates = createCertificates();
const SEED = new Uint8Array(32).fill(7);
const FROM_MS = Date.UTC(2026, 0, 1);
const TO_MS = Date.UTC(2026, 0, 2);
const TERMS: LeafTerms = {
  uris: ["spiffe://installation/node/abc"],
  usage: "client",
  notBeforeMs: FROM_MS,
  notAfterMs: TO_MS,
};
let root: CertificatePair;
let stranger: CertificatePair;

beforeAll(async () => {
  root = await certificates.createRoot("galaxy-pool test", FROM_MS, TO_MS);
  stranger = await certificates.createRoot("galaxy-pool test", FROM_MS, TO_MS);
});

async function codeOf(act: () => unknown): Promise<string> {
  try {
    await act();
  } catch (thrown) {
    if (isRefusal(thrown)) return thrown.code;
    throw thrown;
  }
  return "allowed";
}

describe("a root", () => {
  test("is a P-256 certificate authority that signs itself, for leaves only", () => {
    const parsed = new X509Certificate(root.certificatePem);
    expect(parsed.ca).toBe(true);
    expect(parsed.subject).toBe("CN=galaxy-pool test");
    expect(parsed.publicKey.asymmetricKeyDetails?.namedCurve).toBe("prime256v1");
    expect(parsed.verify(parsed.publicKey)).toBe(true);
    expect(certificates.read(root.certificatePem)).toMatchObject({ uris: [], usages: [] });
  });

  test("is pinned by the hash of its SubjectPublicKeyInfo", () => {
    const spki = new X509Certificate(root.certificatePem).publicKey.export({
      type: "spki",
      format: "der",
    });
    const pin = sha256(new Uint8Array(spki));
    expect(certificates.read(root.certificatePem).spkiHash).toEqual(pin);
    expect(certificates.read(certificates.toDer(root.certificatePem)).spkiHash).toEqual(pin);
  });
});

describe("a leaf", () => {
  test("of the server carries every name and its own P-256 key", async () => {
    const leaf = await certificates.createLeaf(root, {
      ...TERMS,
      uris: ["spiffe://installation/pool"],
      dnsNames: ["pool.galaxy-pool.internal", "localhost"],
      ipAddresses: ["127.0.0.1", "::1"],
      usage: "server",
    });
    const parsed = new X509Certificate(leaf.certificatePem);
    const facts = certificates.read(leaf.certificatePem);
    expect(parsed.checkHost("pool.galaxy-pool.internal")).toBe("pool.galaxy-pool.internal");
    expect(parsed.checkIP("127.0.0.1")).toBe("127.0.0.1");
    expect(parsed.checkIP("::1")).toBeDefined();
    expect(parsed.ca).toBe(false);
    expect(facts.uris).toEqual(["spiffe://installation/pool"]);
    expect(facts.dnsNames).toEqual(["pool.galaxy-pool.internal", "localhost"]);
    expect(facts.usages).toEqual(["server"]);
    expect(facts.publicKey).toHaveLength(65);
  });

  test("of a node holds exactly the node's Ed25519 key, name, use and dates", async () => {
    const { publicKey } = signingKey(SEED);
    const der = await certificates.issue(root, publicKey, TERMS);
    const facts = certificates.read(der);
    expect(facts).toMatchObject({
      publicKey,
      uris: TERMS.uris,
      dnsNames: [],
      usages: ["client"],
      notBeforeMs: FROM_MS,
      notAfterMs: TO_MS,
      hash: sha256(der),
    });
    expect(certificates.toDer(certificates.toPem(der))).toEqual(der);
  });

  test("has dates on both sides of 2050, where their form changes", async () => {
    const notAfterMs = Date.UTC(2055, 1, 3, 4, 5, 6);
    const der = await certificates.issue(root, signingKey(SEED).publicKey, {
      ...TERMS,
      notAfterMs,
    });
    expect(certificates.read(der)).toMatchObject({ notBeforeMs: FROM_MS, notAfterMs });
  });

  test("has a serial number of 128 bits, never the same twice", async () => {
    const issued = await Promise.all(
      [1, 2, 3, 4].map(() => certificates.issue(root, signingKey(SEED).publicKey, TERMS)),
    );
    const serials = issued.map((der) => new X509Certificate(der).serialNumber);
    expect(serials.map((serial) => serial.length)).toEqual([32, 32, 32, 32]);
    expect(new Set(serials).size).toBe(4);
  });

  test("is known by the root that signed it and by no other, whatever its name", async () => {
    const der = await certificates.issue(root, signingKey(SEED).publicKey, TERMS);
    const changed = der.slice();
    changed[der.length - 1] = (changed[der.length - 1] ?? 0) ^ 1;
    expect(certificates.isSignedBy(der, root.certificatePem)).toBe(true);
    expect(certificates.isSignedBy(der, certificates.toDer(root.certificatePem))).toBe(true);
    expect(certificates.isSignedBy(der, stranger.certificatePem)).toBe(false);
    expect(certificates.isSignedBy(changed, root.certificatePem)).toBe(false);
    expect(certificates.isSignedBy(new Uint8Array(9), root.certificatePem)).toBe(false);
  });
});

describe("a certificate request", () => {
  test("says the key it was made for", async () => {
    const der = await certificates.createRequest(SEED);
    expect((await certificates.readRequest(der)).publicKey).toEqual(signingKey(SEED).publicKey);
  });

  test("is refused when it is broken, of another key, or not signed by its own", async () => {
    const good = await certificates.createRequest(SEED);
    const key = signingKey(SEED).publicKey;
    const at = Buffer.from(good).indexOf(Buffer.from(key));
    const other = good.slice();
    other.set(signingKey(new Uint8Array(32).fill(8)).publicKey, at);
    const weak = good.slice();
    weak.set(Uint8Array.from([1, ...new Uint8Array(31)]), at);
    const x25519 = good.slice();
    x25519[at - 4] = 0x6e;
    const cases: readonly (readonly [Uint8Array, string])[] = [
      [good, "allowed"],
      [new Uint8Array(0), "csr.malformed"],
      [good.subarray(0, 60), "csr.malformed"],
      [Uint8Array.from([...good, 0]), "csr.malformed"],
      [new Uint8Array(5_000), "csr.malformed"],
      [other, "csr.signature"],
      [weak, "csr.key_type"],
      [x25519, "csr.key_type"],
    ];
    const codes = await Promise.all(
      cases.map(([request]) => codeOf(() => certificates.readRequest(request))),
    );
    expect(codes).toEqual(cases.map(([, code]) => code));
  });

  test("never breaks the reader, whichever byte is changed", async () => {
    const good = await certificates.createRequest(SEED);
    const codes = new Set<string>();
    for (let at = 0; at < good.length; at++) {
      const changed = good.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x55;
      codes.add(await codeOf(() => certificates.readRequest(changed)));
    }
    expect([...codes].toSorted()).toEqual(["csr.key_type", "csr.malformed", "csr.signature"]);
  });
});

describe("a certificate that cannot be read", () => {
  test.each([
    ["nothing", new Uint8Array(0)],
    ["garbage", new Uint8Array(300).fill(0x30)],
    ["text that is no PEM", "hello"],
    ["a key in PEM", certificates.privateKeyPem(SEED)],
  ])("%s is refused", async (_, certificate) => {
    expect(await codeOf(() => certificates.read(certificate))).toBe("certificate.malformed");
  });

  test("no part of one is one, and no changed byte breaks the reader", async () => {
    const der = await certificates.issue(root, signingKey(SEED).publicKey, TERMS);
    const codes = new Set<string>();
    for (let at = 0; at < der.length; at++) {
      const changed = der.slice();
      changed[at] = (changed[at] ?? 0) ^ 0x55;
      codes.add(await codeOf(() => certificates.read(changed)));
      const part = der.subarray(0, at);
      expect(await codeOf(() => certificates.read(part))).toBe("certificate.malformed");
    }
    expect([...codes].toSorted()).toEqual(["allowed", "certificate.malformed"]);
  });

  test("trailing bytes are refused: one certificate has one hash", async () => {
    const der = await certificates.issue(root, signingKey(SEED).publicKey, TERMS);
    const longer = Uint8Array.from([...der, 0]);
    expect(await codeOf(() => certificates.read(longer))).toBe("certificate.malformed");
  });
});
