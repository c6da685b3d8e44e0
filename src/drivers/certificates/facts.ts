import type { CertificateFacts } from "@/ports/certificates.ts";
import { sameBytes, toHex } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { type DerElement, DerReader } from "./der.ts";

const SEQUENCE = 0x30;
const OBJECT = 0x06;
const OCTETS = 0x04;
const BOOLEAN = 0x01;
const UTC_TIME = 0x17;
const LONG_TIME = 0x18;
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;
const DNS_NAME = 0x82;
const URI_NAME = 0x86;

const CONSTRAINTS = "551d13";
const ALTERNATIVE_NAMES = "551d11";
const EXTENDED_USAGE = "551d25";
const USAGES = { client: "2b06010505070302", server: "2b06010505070301" } as const;

const ED25519_SPKI = Uint8Array.of(0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0);
const P256_SPKI_LENGTH = 91;
const P256_POINT_LENGTH = 65;

/**
 * Reads what this program decides by in a certificate (RFC 5280), and nothing else: it is done at
 * every handshake, and a complete reader takes milliseconds. Throws RangeError at what is no DER.
 */
export function factsIn(der: Uint8Array): CertificateFacts {
  const [body, , , ...more] = DerReader.over(der).only(SEQUENCE).reader().rest();
  if (body?.tag !== SEQUENCE || more.length > 0) throw new RangeError("no certificate");
  const signed = body.reader();
  signed.skip(VERSION);
  for (const _ of ["serial number", "algorithm", "issuer"]) signed.next();
  const validity = signed.next(SEQUENCE).reader();
  signed.next(); // subject
  const spki = signed.next(SEQUENCE).bytes;
  const extensions = extensionsIn(signed);
  const names = namesIn(extensions.get(ALTERNATIVE_NAMES));
  const usages = usagesIn(extensions.get(EXTENDED_USAGE));
  return {
    publicKey: ed25519KeyIn(spki) ?? otherKeyIn(spki),
    uris: textsOf(names, URI_NAME),
    dnsNames: textsOf(names, DNS_NAME),
    isAuthority: isAuthorityIn(extensions.get(CONSTRAINTS)),
    usages: (["client", "server"] as const).filter((usage) => usages.includes(USAGES[usage])),
    notBeforeMs: timeIn(validity.next()),
    notAfterMs: timeIn(validity.next()),
    spkiHash: sha256(spki),
    hash: sha256(der),
  };
}

/** The raw key in a SubjectPublicKeyInfo, when it is one of Ed25519. */
export function ed25519KeyIn(spki: Uint8Array): Uint8Array | undefined {
  const prefix = ED25519_SPKI.length;
  if (spki.length !== prefix + 32 || !sameBytes(spki.subarray(0, prefix), ED25519_SPKI)) {
    return undefined;
  }
  return spki.slice(prefix);
}

function otherKeyIn(spki: Uint8Array): Uint8Array {
  return spki.length === P256_SPKI_LENGTH ? spki.slice(-P256_POINT_LENGTH) : spki.slice();
}

/** Each extension's content by its identifier; one that comes twice is no certificate. */
function extensionsIn(signed: DerReader): ReadonlyMap<string, DerReader> {
  const found = new Map<string, DerReader>();
  while (!signed.isDone) {
    const element = signed.next();
    if (element.tag !== EXTENSIONS) continue;
    const list = element.reader().only(SEQUENCE).reader();
    while (!list.isDone) {
      const extension = list.next(SEQUENCE).reader();
      const id = toHex(extension.next(OBJECT).content);
      extension.skip(0x01); // whether it is critical
      if (found.has(id)) throw new RangeError("an extension comes twice");
      found.set(id, extension.next(OCTETS).reader());
    }
  }
  return found;
}

/** RFC 5280, 4.2.1.9: a sequence that begins with TRUE. */
function isAuthorityIn(extension: DerReader | undefined): boolean {
  const [first] = extension ? extension.only(SEQUENCE).reader().rest() : [];
  return first?.tag === BOOLEAN && first.content.length === 1 && first.content[0] === 0xff;
}

function namesIn(extension: DerReader | undefined): readonly DerElement[] {
  return extension ? extension.only(SEQUENCE).reader().rest() : [];
}

function usagesIn(extension: DerReader | undefined): readonly string[] {
  return namesIn(extension).map(({ content }) => toHex(content));
}

function textsOf(names: readonly DerElement[], tag: number): readonly string[] {
  const own = names.filter((name) => name.tag === tag);
  return own.map(({ content }) => Buffer.from(content).toString("latin1"));
}

/** `YYMMDDHHMMSSZ` of the years 1950 to 2049, or `YYYYMMDDHHMMSSZ`. */
function timeIn({ tag, content }: DerElement): number {
  const text = Buffer.from(content).toString("latin1");
  const isShort = tag === UTC_TIME;
  if (!isShort && tag !== LONG_TIME) throw new RangeError("no time");
  const whole = isShort ? `${text < "5" ? "20" : "19"}${text}` : text;
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(whole)?.slice(1).map(Number);
  if (!parts) throw new RangeError("no time");
  const [year = 0, month = 0, ...rest] = parts;
  return Date.UTC(year, month - 1, ...rest);
}
