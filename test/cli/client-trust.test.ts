import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { typed } from "#test/support/command-line.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import type { CertificatePair } from "@/ports/certificates.ts";
import { toBase32 } from "@/std/bytes.ts";

setDefaultTimeout(30_000);

const certificates = createCertificates();
const NOW = Date.now();
const TOKEN = "gpo_sesame";
const POOL_NAME = "pool.galaxy-pool.internal";

function rootOf(name: string): Promise<CertificatePair> {
  return certificates.createRoot(name, NOW - 1e6, NOW + 1e9);
}

const pinOf = (root: CertificatePair) => toBase32(certificates.read(root.certificatePem).spkiHash);

/** An HTTPS pool that shows one root and has a leaf of another, or of the same; it keeps all it hears. */
async function openPool(signer: CertificatePair, shown = signer, dnsName = POOL_NAME) {
  const leaf = await certificates.createLeaf(signer, {
    uris: ["spiffe://x/pool"],
    dnsNames: [dnsName],
    usage: "server",
    notBeforeMs: NOW - 1e6,
    notAfterMs: NOW + 1e9,
  });
  const heard: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    tls: { cert: leaf.certificatePem, key: leaf.privateKeyPem },
    async fetch(request) {
      heard.push(`${request.url} ${JSON.stringify([...request.headers])} ${await request.text()}`);
      const { pathname } = new URL(request.url);
      if (pathname === "/api/v1/authority")
        return Response.json({ root_pem: shown.certificatePem });
      return Response.json({ items: [], next_cursor: null });
    },
  });
  const url = `https://127.0.0.1:${server.port}`;
  const list = (...more: readonly string[]) =>
    typed("pool", "list", "--url", url, "--token", TOKEN, ...more);
  return { heard, list, [Symbol.dispose]: () => server.stop(true) };
}

const asksWithToken = (heard: readonly string[]) => heard.filter((one) => one.includes(TOKEN));

describe("a command that asks another pool over HTTPS", () => {
  test("sends nothing to a root it does not know, when nothing was said of it", async () => {
    using pool = await openPool(await rootOf("pool"));
    const { code, stderr } = await pool.list();
    expect([code, pool.heard]).toEqual([3, []]);
    expect(stderr).toContain("Give the pool's pin with --pin");
    expect(stderr).toContain("code: cli.untrusted");
  });

  test("is answered when it has the pool's pin, at an address no certificate names", async () => {
    const root = await rootOf("pool");
    using pool = await openPool(root);
    const { code, stderr } = await pool.list("--pin", pinOf(root));
    expect([code, stderr]).toEqual([0, ""]);
    expect(asksWithToken(pool.heard)).toHaveLength(1);
  });

  test("is answered when it has the pool's root as a file", async () => {
    const root = await rootOf("pool");
    using pool = await openPool(root);
    using folder = temporaryFolder();
    const file = `${folder.path}/root.pem`;
    writeFileSync(file, root.certificatePem);
    expect((await pool.list("--ca", file)).code).toBe(0);
    expect(asksWithToken(pool.heard)).toHaveLength(1);
  });

  test("tells somebody else nothing but the public question, and both pins to its person", async () => {
    const [root, other] = [await rootOf("pool"), await rootOf("other")];
    using between = await openPool(other);
    const { code, stderr } = await between.list("--pin", pinOf(root));
    expect([code, between.heard.length, asksWithToken(between.heard).length]).toEqual([1, 1, 0]);
    for (const said of ["cli.pin_differs", pinOf(root), pinOf(other)])
      expect(stderr).toContain(said);
  });

  test("tells nothing to who shows the pool's root without its key", async () => {
    const [root, other] = [await rootOf("pool"), await rootOf("other")];
    using between = await openPool(other, root);
    const { code } = await between.list("--pin", pinOf(root));
    expect([code, asksWithToken(between.heard).length]).toEqual([3, 0]);
  });

  test("tells nothing to another name of the same root", async () => {
    const root = await rootOf("pool");
    using other = await openPool(root, root, "somewhere.else");
    const { code } = await other.list("--pin", pinOf(root));
    expect([code, asksWithToken(other.heard).length]).toEqual([3, 0]);
  });

  test.each([
    ["a pin that is none", ["--pin", "short"], "52 letters"],
    ["a file that is not there", ["--ca", "/nowhere/root.pem"], "cannot be read"],
    ["both", ["--pin", "a".repeat(52), "--ca", "/etc/hosts"], "not both"],
  ])("is refused with %s", async (_, words, said) => {
    using pool = await openPool(await rootOf("pool"));
    const { code, stderr } = await pool.list(...words);
    expect([code, pool.heard]).toEqual([2, []]);
    expect(stderr).toContain(said);
  });
});
