const ED25519_PKCS8 = Buffer.from("302e020100300506032b657004220420", "hex");
const LINE = 64;

/** Bytes as PEM (RFC 7468). */
export function pemOf(label: string, der: ArrayBuffer | Uint8Array): string {
  const text = Buffer.from(der instanceof Uint8Array ? der : new Uint8Array(der)).toString(
    "base64",
  );
  const lines = text.match(new RegExp(`.{1,${LINE}}`, "g")) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`].join("\n");
}

/** The bytes of the first block of a text, when it has this label. */
export function firstPem(text: string, label: string): Uint8Array | undefined {
  const match = /-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]*)-----END \1-----/.exec(text);
  if (match?.[1] !== label) return undefined;
  return new Uint8Array(Buffer.from(match[2] ?? "", "base64"));
}

/** The PKCS#8 of an Ed25519 seed, DER. */
export function ed25519Pkcs8(seed: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat([ED25519_PKCS8, seed]));
}
