/** A certificate and its key, as the TLS stacks want them. */
export interface CertificatePair {
  readonly certificatePem: string;
  readonly privateKeyPem: string;
}

/** What a certificate signing request says, once its own signature holds. */
export interface SigningRequest {
  /** The raw Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array;
}

/** What a certificate says that we care about. */
export interface CertificateFacts {
  readonly publicKey: Uint8Array;
  /** URI names, `spiffe://…`. */
  readonly uris: readonly string[];
  readonly dnsNames: readonly string[];
  /** Whether it may sign other certificates. */
  readonly isAuthority: boolean;
  /** What it may be used for (EKU); empty when it does not say. */
  readonly usages: readonly ("client" | "server")[];
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  /** SHA-256 of the DER SubjectPublicKeyInfo. */
  readonly spkiHash: Uint8Array;
  /** SHA-256 of the DER certificate. */
  readonly hash: Uint8Array;
}

/** What a leaf is issued for. */
export interface LeafTerms {
  readonly uris: readonly string[];
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly usage: "client" | "server";
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
}

/** X.509, as this program needs it (trust.md, section 2). */
export interface Certificates {
  /** A new self-signed root, ECDSA P-256. */
  createRoot(name: string, notBeforeMs: number, notAfterMs: number): Promise<CertificatePair>;
  /**
   * The certificate with which a root vouches for the one that replaces it: the new root's key and name,
   * signed by the old root, DER. Both roots carry one name, or who reads chains counts an authority too many.
   */
  vouch(old: CertificatePair, next: CertificatePair, notAfterMs: number): Promise<Uint8Array>;
  /** A new P-256 leaf with a key of its own, signed by the root. */
  createLeaf(root: CertificatePair, terms: LeafTerms): Promise<CertificatePair>;
  /** A leaf for somebody else's Ed25519 key, DER. */
  issue(root: CertificatePair, publicKey: Uint8Array, terms: LeafTerms): Promise<Uint8Array>;
  /** A PKCS#10 request of an Ed25519 key (32-byte seed), DER. */
  createRequest(seed: Uint8Array): Promise<Uint8Array>;
  /** Reads a PKCS#10 request; refuses a broken one, a bad signature and any key but Ed25519 (`csr.*`). */
  readRequest(der: Uint8Array): Promise<SigningRequest>;
  /** Reads a certificate, DER or PEM; refuses a broken one (`certificate.malformed`). */
  read(certificate: Uint8Array | string): CertificateFacts;
  /** Whether a certificate was signed by this root. */
  isSignedBy(certificate: Uint8Array, root: Uint8Array | string): boolean;
  toPem(der: Uint8Array): string;
  toDer(pem: string): Uint8Array;
  /** The PKCS#8 PEM of an Ed25519 seed, for TLS. */
  privateKeyPem(seed: Uint8Array): string;
}
