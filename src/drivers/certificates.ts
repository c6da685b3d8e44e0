import "reflect-metadata"; // Must come first: @peculiar/x509 dies without it; from source …
import "./certificates/reflection.ts"; // … and in the executable.
import { X509Certificate as NodeCertificate, randomBytes } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { defineModule } from "@/kernel/module.ts";
import type {
  CertificateFacts,
  CertificatePair,
  Certificates,
  LeafTerms,
  SigningRequest,
} from "@/ports/certificates.ts";
import { sameBytes, toHex } from "@/std/bytes.ts";
import { sha256, signingKey } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";
import { isWeakKey } from "@/std/weak-key.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    certificates: Certificates;
  }
}

const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const ED25519 = { name: "Ed25519" };
const ED25519_SPKI = Buffer.from("302a300506032b6570032100", "hex");
const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const P256_SPKI_LENGTH = 91;
const P256_POINT_LENGTH = 65;
const USAGES = {
  client: x509.ExtendedKeyUsage.clientAuth,
  server: x509.ExtendedKeyUsage.serverAuth,
};
/** A request holds one key, one name and one signature; no honest one comes near this. */
const REQUEST_BYTES_MAX = 4_096;

/** X.509 by @peculiar/x509 where something is made, and by node:crypto where it is checked. */
export function createCertificates(): Certificates {
  x509.cryptoProvider.set(crypto);
  return {
    createRoot,
    createLeaf,
    issue,
    createRequest,
    readRequest,
    read,
    isSignedBy,
    toPem: (der) => x509.PemConverter.encode(der, "CERTIFICATE"),
    toDer,
    privateKeyPem: (seed) => keyPem(Buffer.concat([ED25519_PKCS8, seed])),
  };
}

/** Provides `certificates`. */
export const certificates = defineModule({
  name: "certificates",
  needs: [],
  provides: "certificates",
  start: () => createCertificates(),
});

async function createRoot(
  name: string,
  notBeforeMs: number,
  notAfterMs: number,
): Promise<CertificatePair> {
  const keys = await p256Keys();
  const usages = x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign;
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name: [{ CN: [name] }],
    notBefore: new Date(notBeforeMs),
    notAfter: new Date(notAfterMs),
    keys,
    signingAlgorithm: P256,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(usages, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return pairOf(root, keys);
}

async function createLeaf(root: CertificatePair, terms: LeafTerms): Promise<CertificatePair> {
  const keys = await p256Keys();
  return pairOf(await sign(root, keys.publicKey, terms), keys);
}

async function issue(
  root: CertificatePair,
  publicKey: Uint8Array,
  terms: LeafTerms,
): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", copy(publicKey), ED25519, true, ["verify"]);
  return new Uint8Array((await sign(root, key, terms)).rawData);
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

async function createRequest(seed: Uint8Array): Promise<Uint8Array> {
  const pkcs8 = Buffer.concat([ED25519_PKCS8, seed]);
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

async function readRequest(der: Uint8Array): Promise<SigningRequest> {
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

function read(certificate: Uint8Array | string): CertificateFacts {
  try {
    const der = typeof certificate === "string" ? toDer(certificate) : certificate;
    return factsOf(new x509.X509Certificate(whole(der)), der);
  } catch (cause) {
    const message = "The certificate cannot be read; it must be X.509, DER or PEM.";
    throw new PoolError("invalid", "certificate.malformed", message, {}, cause);
  }
}

function factsOf(parsed: x509.X509Certificate, der: Uint8Array): CertificateFacts {
  const spki = new Uint8Array(parsed.publicKey.rawData);
  const names = parsed.getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? [];
  const usages = parsed.getExtension(x509.ExtendedKeyUsageExtension)?.usages ?? [];
  return {
    publicKey: ed25519KeyIn(spki) ?? otherKeyIn(spki),
    uris: names.filter(({ type }) => type === "url").map(({ value }) => value),
    dnsNames: names.filter(({ type }) => type === "dns").map(({ value }) => value),
    usages: (["client", "server"] as const).filter((usage) => usages.includes(USAGES[usage])),
    notBeforeMs: parsed.notBefore.getTime(),
    notAfterMs: parsed.notAfter.getTime(),
    spkiHash: sha256(spki),
    hash: sha256(der),
  };
}

function ed25519KeyIn(spki: Uint8Array): Uint8Array | undefined {
  const prefix = ED25519_SPKI.length;
  if (spki.length !== prefix + 32 || !sameBytes(spki.subarray(0, prefix), ED25519_SPKI)) {
    return undefined;
  }
  return spki.slice(prefix);
}

function otherKeyIn(spki: Uint8Array): Uint8Array {
  return spki.length === P256_SPKI_LENGTH ? spki.slice(-P256_POINT_LENGTH) : spki;
}

function isSignedBy(certificate: Uint8Array, root: Uint8Array | string): boolean {
  try {
    const issuer = new NodeCertificate(root);
    const issued = new NodeCertificate(certificate);
    return issued.checkIssued(issuer) && issued.verify(issuer.publicKey);
  } catch {
    return false;
  }
}

function toDer(pem: string): Uint8Array {
  const [first] = x509.PemConverter.decodeWithHeaders(pem);
  if (first?.type !== "CERTIFICATE") {
    const message = "This is not a certificate in PEM; it must begin with BEGIN CERTIFICATE.";
    throw new PoolError("invalid", "certificate.malformed", message);
  }
  return new Uint8Array(first.rawData);
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
  return { certificatePem: certificate.toString("pem"), privateKeyPem: keyPem(pkcs8) };
}

function keyPem(pkcs8: ArrayBuffer | Uint8Array<ArrayBuffer>): string {
  return x509.PemConverter.encode(pkcs8, "PRIVATE KEY");
}

/** 128 bits, positive and of full length whatever the dice say. */
function serialNumber(): string {
  const bytes = new Uint8Array(randomBytes(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return toHex(bytes);
}

/** Refuses bytes before or after the one DER sequence, so that nothing has two hashes. */
function whole(der: Uint8Array): Uint8Array<ArrayBuffer> {
  const [tag, length = 0] = der;
  const lengthBytes = length < 0x80 ? 0 : length - 0x80;
  const size = Buffer.from(der.subarray(2, 2 + lengthBytes)).toString("hex");
  const end = 2 + lengthBytes + (lengthBytes === 0 ? length : Number.parseInt(size, 16));
  if (tag !== 0x30 || end !== der.length) throw new RangeError("not one sequence");
  return copy(der);
}

/** Bytes of their own: WebCrypto takes no view into shared memory. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
