import { describe, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { temporaryFolder } from "#test/support/folder.ts";
import { refusalCode } from "#test/support/refusal-code.ts";
import type { NodeId } from "@/core/ids.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { openFiles } from "@/drivers/files.ts";
import { systemRandom } from "@/drivers/random.ts";
import { initialise } from "@/modules/certificates/initialise.ts";
import { Authority } from "@/modules/certificates/service.ts";
import type { Files } from "@/ports/files.ts";
import { signingKey } from "@/std/crypto.ts";

const DAY_MS = 86_400_000;
const NOW = Date.UTC(2026, 0, 1);
const certificates = createCertificates();
const random = systemRandom();
const names = () => ({ dnsNames: ["pi"], ipAddresses: [] });
const NODE = "a".repeat(26) as NodeId;

function authorityIn(files: Files): Authority {
  return new Authority({ files, certificates, random, names, overlapMs: 30 * DAY_MS });
}

/** An installation that runs; `using` removes it. */
async function installation() {
  const folder = temporaryFolder();
  const files = openFiles(folder.path);
  await initialise({ files, certificates, random, nowMs: NOW });
  const authority = authorityIn(files);
  await authority.ensureLeaf(NOW);
  return { files, authority, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

async function rotated() {
  const place = await installation();
  const before = place.authority.rootPem;
  await place.authority.prepareRoot(NOW);
  await place.authority.takeRoot(NOW);
  return { ...place, before };
}

/** The files as a disk that stops after so many more writes or removals leaves them. */
function breakingAfter(files: Files, steps: number): Files {
  let left = steps;
  const step = <Args extends unknown[]>(act: (...args: Args) => void) => {
    return (...args: Args): void => {
      if (left-- <= 0) throw new Error("the power is cut");
      act(...args);
    };
  };
  return { ...files, write: step(files.write), remove: step(files.remove) };
}

describe("the next root", () => {
  test("is on disk and signs nothing before it is taken", async () => {
    using place = await installation();
    const { authority, files } = place;
    const before = authority.rootPem;
    const prepared = await authority.prepareRoot(NOW);
    expect(authority.preparedRoot()).toEqual(prepared);
    expect(prepared.untilMs).toBe(NOW + 30 * DAY_MS);
    expect([authority.rootPem, authority.previousRoot]).toEqual([before, undefined]);
    expect(authorityIn(files).rootPem).toBe(before);
  });

  test("once taken signs leaf and nodes, is what tokens pin, and lasts ten years", async () => {
    using place = await rotated();
    const { authority, before } = place;
    const { rootPem, rootDer } = authority;
    expect(rootPem).not.toBe(before);
    const leaf = certificates.toDer(authority.leaf().certificatePem);
    const issued = await authority.issueNode(NODE, signingKey(random.bytes(32)).publicKey, NOW);
    for (const signed of [leaf, issued.certificate]) {
      expect(certificates.isSignedBy(signed, rootDer)).toBe(true);
      expect(certificates.isSignedBy(signed, before)).toBe(false);
    }
    expect(authority.pin).toEqual(certificates.read(rootPem).spkiHash);
    expect(new X509Certificate(rootPem).validToDate.getTime()).toBe(NOW + 3_650 * DAY_MS);
  });

  test("is vouched for behind the leaf by the root before, whose key is gone", async () => {
    using place = await rotated();
    const { authority, files, before } = place;
    const chain = authority
      .leaf()
      .certificatePem.match(/-----BEGIN C[^-]+-----[^-]+-----END[^-]+-----/g);
    const vouched = new X509Certificate(chain?.[1] ?? "");
    const old = new X509Certificate(before);
    expect(chain).toHaveLength(2);
    expect([vouched.ca, vouched.checkIssued(old), vouched.verify(old.publicKey)]).toEqual([
      true,
      true,
      true,
    ]);
    expect(vouched.publicKey.export({ type: "spki", format: "pem" })).toEqual(
      new X509Certificate(authority.rootPem).publicKey.export({ type: "spki", format: "pem" }),
    );
    expect(vouched.validToDate.getTime()).toBe(NOW + 30 * DAY_MS);
    expect(files.readText("keys/root-previous.pem")).not.toContain("PRIVATE KEY");
  });

  test("is refused while the root before the last one is believed", async () => {
    using place = await rotated();
    await expect(place.authority.prepareRoot(NOW + DAY_MS)).rejects.toThrow(/still believed/);
    await place.authority.forgetPreviousRoot();
    expect((await place.authority.prepareRoot(NOW + DAY_MS)).untilMs).toBe(NOW + 31 * DAY_MS);
  });
});

describe("a node's certificate of the root before", () => {
  test("is known until that root is not believed any more", async () => {
    using place = await installation();
    const { authority, files } = place;
    const { publicKey } = signingKey(random.bytes(32));
    const { certificate } = await authority.issueNode(NODE, publicKey, NOW);
    await authority.prepareRoot(NOW);
    await authority.takeRoot(NOW);
    expect(authority.nodeOf(certificate)?.node).toBe(NODE);
    expect(authorityIn(files).nodeOf(certificate)?.node).toBe(NODE);
    await authority.forgetPreviousRoot();
    expect(authority.nodeOf(certificate)).toBeUndefined();
    expect(authority.leaf().certificatePem.match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
    expect(authorityIn(files).nodeOf(certificate)).toBeUndefined();
  });
});

describe("a rotation cut off", () => {
  // Taking: the root before, the root now, the prepared one removed, the leaf.
  test.each([0, 1, 2, 3])(
    "after %i of its writes leaves an installation that starts and goes on",
    async (steps) => {
      using place = await installation();
      const before = place.authority.rootPem;
      await place.authority.prepareRoot(NOW);
      const broken = authorityIn(breakingAfter(place.files, steps));
      await expect(broken.takeRoot(NOW)).rejects.toThrow("the power is cut");

      const after = authorityIn(place.files);
      await after.ensureLeaf(NOW);
      const leaf = certificates.toDer(after.leaf().certificatePem);
      expect(certificates.isSignedBy(leaf, after.rootPem)).toBe(true);
      expect(after.rootPem === before).toBe(steps < 2);

      if (after.preparedRoot()) await after.takeRoot(NOW);
      expect(after.rootPem).not.toBe(before);
      expect(after.previousRoot?.pem.trim()).toBe(before.trim());
      expect(after.preparedRoot()).toBeUndefined();
      expect(certificates.isSignedBy(after.previousRoot?.vouchedDer ?? leaf, before)).toBe(true);
      expect(certificates.read(after.previousRoot?.vouchedDer ?? leaf).spkiHash).toEqual(after.pin);
    },
  );

  test("that is not to be leaves nothing", async () => {
    using place = await installation();
    const before = place.authority.rootPem;
    await place.authority.prepareRoot(NOW);
    place.authority.dropPreparedRoot();
    expect(place.files.list("keys").some((path) => path.includes("root-"))).toBe(false);
    expect(authorityIn(place.files).rootPem).toBe(before);
  });

  test("whose file of the root before is damaged is refused, not guessed", async () => {
    using place = await rotated();
    place.files.write("keys/root-previous.pem", "until: 1\n");
    expect(refusalCode(() => authorityIn(place.files))).toBe("data.damaged");
  });
});
