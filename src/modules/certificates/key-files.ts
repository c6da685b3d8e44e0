import type { CertificatePair } from "@/ports/certificates.ts";
import type { Files } from "@/ports/files.ts";
import { PoolError } from "@/std/errors.ts";

/** Where the keys of an installation lie in the data folder; every file is 0600. */
export const KEY_FILES = {
  /** The installation's id. Written last: where it is, the rest is whole. */
  installation: "keys/installation",
  root: "keys/root.pem",
  /** A root that was made and is not in use yet. */
  nextRoot: "keys/root-next.pem",
  /** The root before, while it is still believed: two certificates, no key. */
  previousRoot: "keys/root-previous.pem",
  server: "keys/server.pem",
  audit: "keys/audit.seed",
  jwtFolder: "keys/jwt",
  pool: (pool: string) => `keys/pools/${pool}/pool.seed`,
  receipts: (pool: string) => `keys/pools/${pool}/receipts`,
} as const;

const KEY_HEADER = "-----BEGIN PRIVATE KEY-----";

/** A certificate and its key in one file, so that they are replaced together. */
export function writePair(files: Files, path: string, pair: CertificatePair, note = ""): void {
  files.write(path, `${note}${pair.certificatePem.trim()}\n${pair.privateKeyPem.trim()}\n`);
}

/** What `writePair` wrote: the pair, and the note above it. */
export function readPair(
  files: Files,
  path: string,
): (CertificatePair & { note: string }) | undefined {
  const text = files.readText(path);
  if (text === undefined) return undefined;
  const begin = text.indexOf("-----BEGIN CERTIFICATE-----");
  const key = text.indexOf(KEY_HEADER);
  if (begin < 0 || key < begin) throw damaged(path);
  return {
    note: text.slice(0, begin),
    certificatePem: text.slice(begin, key),
    privateKeyPem: text.slice(key),
  };
}

/** The 32 bytes of a secret file, if it is there. */
export function readSeed(files: Files, path: string): Uint8Array | undefined {
  const seed = files.read(path);
  if (seed !== undefined && seed.length !== 32) throw damaged(path);
  return seed;
}

/** The refusal to serve without keys. */
export function notInitialised(path: string): PoolError {
  return new PoolError(
    "precondition",
    "data.not_initialised",
    `The data folder holds no installation yet (${path} is missing). ` +
      'Run "galaxy-pool init" once as the user the pool runs as, then start again.',
  );
}

/** The refusal of a key file that is not what was written, or no longer there. */
export function damaged(path: string): PoolError {
  return new PoolError(
    "precondition",
    "data.damaged",
    `${path} in the data folder is damaged or missing. Restore it from a backup; do not make a new one, ` +
      "or nodes will no longer know this installation.",
  );
}
