import "reflect-metadata"; // Must come first: @peculiar/x509 dies without it; from source …
import "./reflection.ts"; // … and in the executable.
import { randomBytes } from "node:crypto";
import * as x509 from "@peculiar/x509";
import type { CertificatePair, LeafTerms, SigningRequest } from "@/ports/certificates.ts";
import { toHex } from "@/std/bytes.ts";
import { signingKey } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";
import { isWeakKey } from "@/std/weak-key.ts";
import { DerReader } from "./der.ts";
import { ed25519KeyIn } from "./facts.ts";
import { ed25519Pkcs8, pemOf } from "./pem.ts";

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const ED25519 = { name: "Ed25519" };
const USAGES = {
  client: x509.ExtendedKeyUsage.clientAuth,
  server: x509.ExtendedKeyUsage.serverAuth,
};
/** A request holds one key, one name and one signature; no honest one comes near this. */
const REQUEST_BYTES_MAX = 4_096;
const SEQUENCE = 0x30;

x509.cryptoProvider.set(crypto);

/** A new self-signed root. */
export async function createRoot(
  name: string,
  notBeforeMs: number,
  notAfterMs: number,
): Promise<CertificatePair> {
  const keys = await p256Keys();
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [name] }],
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    keys,
    signingAlgorithm: P256,
    extensions: await authorityExtensions(keys.publicKey),
  });
  return pairOf(root, keys);
}

/** The new root's key and name, signed by the old root. */
export async function vouch(
  old: CertificatePair,
  next: CertificatePair,
  notAfterMs: number,
): Promise<Uint8Array> {
  const issuer = new x509.X509Certificate(old.certificatePem);
  const root = new x509.X509Certificate(next.certificatePem);
  const made = await x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: root.subjectName,
    issuer: issuer.subjectName,
    notBefore: root.notBefore,
    notAfter: new Date(notAfterMs),
    publicKey: root.publicKey,
    signingKey: await signingKeyOf(old),
    signingAlgorithm: P256,
    extensions: [
      ...(await authorityExtensions(root.publicKey)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
    ],
  });
  return new Uint8Array(made.rawData);
}

/** A new leaf with a key of its own. */
export async function createLeaf(
  root: CertificatePair,
  terms: LeafTerms,
): Promise<CertificatePair> {
  const keys = await p256Keys();
  return pairOf(await sign(root, keys.publicKey, terms), keys);
}

/** A leaf for somebody else's key. */
export async function issue(
  root: CertificatePair,
  publicKey: Uint8Array,
  terms: LeafTerms,
): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", copy(publicKey), ED25519, true, ["verify"]);
  return new Uint8Array((await sign(root, key, terms)).rawData);
}

async function authorityExtensions(key: CryptoKey | x509.PublicKey): Promise<x509.Extension[]> {
  const usages = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
  return [
    new x509.BasicConstraintsExtension(true, 0, true),
    new x509.KeyUsagesExtension(usages, true),
    await x509.SubjectKeyIdentifierExtension.create(key),
  ];
}

async function sign(
  root: CertificatePair,
  publicKey: CryptoKey,
  terms: LeafTerms,
): Promise<x509.X509Certificate> {
  const issuer = new x509.X509Certificate(root.certificatePem);
  return x509.X509CertificateGenerator.create({
    serialNumber: serialNumber(),
    subject: [{ CN: [commonName(terms)] }],
    issuer: issuer.subjectName,
    notBefore: new Date(terms.notBeforeMs),
    notAfter: new Date(terms.notAfterMs),
    publicKey,
    signingKey: await signingKeyOf(root),
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([USAGES[terms.usage]]),
      new x509.SubjectAlternativeNameExtension(namesOf(terms)),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      await x509.SubjectKeyIdentifierExtension.create(publicKey),
    ],
  });
}

function namesOf(terms: LeafTerms): x509.JsonGeneralNames {
  return [
    ...terms.uris.map((value) => ({ type: "url" as const, value })),
    ...(terms.dnsNames ?? []).map((value) => ({ type: "dns" as const, value })),
    ...(terms.ipAddresses ?? []).map((value) => ({ type: "ip" as const, value })),
  ];
}

/** Nobody decides by this name; it is what tools show. A common name holds 64 letters. */
function commonName({ uris, dnsNames }: LeafTerms): string {
  const name = dnsNames?.[0] ?? uris[0]?.split("/").at(-1) ?? "galaxy-pool";
  return name.slice(0, 64);
}

/** A PKCS#10 request. */
export async function createRequest(seed: Uint8Array): Promise<Uint8Array> {
  const pkcs8 = ed25519Pkcs8(seed);
  const publicRaw = copy(signingKey(seed).publicKey);
  const keys = {
    privateKey: await crypto.subtle.importKey("pkcs8", pkcs8, ED25519, false, ["sign"]),
    publicKey: await crypto.subtle.importKey("raw", publicRaw, ED25519, true, ["verify"]),
  };
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: [{ CN: ["galaxy-pool node"] }],
    keys,
    signingAlgorithm: ED25519,
  });
  return new Uint8Array(request.rawData);
}

/** Reads a PKCS#10 request; refuses what is none. */
export async function readRequest(der: Uint8Array): Promise<SigningRequest> {
  const request = parsedRequest(der);
  const spki = new Uint8Array(request.publicKey.rawData);
  const publicKey = ed25519KeyIn(spki);
  if (!publicKey || isWeakKey(publicKey)) {
    const message = "The certificate request is not for an Ed25519 key; make one for such a key.";
    throw new PoolError("invalid", "csr.key_type", message);
  }
  if (!(await isSelfSigned(request))) {
    const message = "The certificate request is not signed by its own key; make it anew.";
    throw new PoolError("invalid", "csr.signature", message);
  }
  return { publicKey };
}

function parsedRequest(der: Uint8Array): x509.Pkcs10CertificateRequest {
  try {
    if (der.length > REQUEST_BYTES_MAX) throw new RangeError("too long");
    return new x509.Pkcs10CertificateRequest(whole(der));
  } catch (cause) {
    const message = "The certificate request is not PKCS#10 in DER; make it anew.";
    throw new PoolError("invalid", "csr.malformed", message, {}, cause);
  }
}

async function isSelfSigned(request: x509.Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify();
  } catch {
    return false;
  }
}

function p256Keys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(P256, true, ["sign", "verify"]);
}

function signingKeyOf({ privateKeyPem }: CertificatePair): Promise<CryptoKey> {
  const pkcs8 = x509.PemConverter.decodeFirst(privateKeyPem);
  return crypto.subtle.importKey("pkcs8", pkcs8, P256, false, ["sign"]);
}

async function pairOf(
  certificate: x509.X509Certificate,
  keys: CryptoKeyPair,
): Promise<CertificatePair> {
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificatePem: certificate.toString("pem"),
    privateKeyPem: pemOf("PRIVATE KEY", pkcs8),
  };
}

/** 128 bits, positive and of full length whatever the dice say. */
function serialNumber(): string {
  const bytes = new Uint8Array(randomBytes(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return toHex(bytes);
}

/** Refuses bytes before or after the one DER sequence, so that nothing has two hashes. */
function whole(der: Uint8Array): Uint8Array<ArrayBuffer> {
  return copy(DerReader.over(der).only(SEQUENCE).bytes);
}

/** Bytes of their own: WebCrypto takes no view into shared memory. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
