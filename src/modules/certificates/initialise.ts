import { secretOf } from "@/core/token.ts";
import type { Certificates } from "@/ports/certificates.ts";
import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import { writeJwtKey } from "./jwt-keys.ts";
import { KEY_FILES, readPair, readSeed, writePair } from "./key-files.ts";

const DAY_MS = 86_400_000;
const ROOT_DAYS = 3_650;

/** What `galaxy-pool init` works with. */
export interface Initialisation {
  readonly files: Files;
  readonly certificates: Certificates;
  readonly random: Random;
  readonly nowMs: number;
}

/** What an installation is known by once it is made. */
export interface Installation {
  readonly id: string;
  readonly rootPem: string;
  /** SHA-256 of the root's SubjectPublicKeyInfo. */
  readonly pin: Uint8Array;
  /** False when it had been made before. */
  readonly created: boolean;
}

/**
 * Makes the identity of an installation: root CA, audit key and JWT key. What is already there stays,
 * so it may be repeated, also after it was cut off half way. The server leaf is made at each start.
 */
export async function initialise(parts: Initialisation): Promise<Installation> {
  const { files, certificates, random, nowMs } = parts;
  const known = files.readText(KEY_FILES.installation)?.trim();
  const id = known ?? secretOf(random.bytes(17));
  const root = readPair(files, KEY_FILES.root) ?? (await createRoot(parts, id));
  if (readSeed(files, KEY_FILES.audit) === undefined) {
    files.write(KEY_FILES.audit, random.bytes(32));
  }
  if (files.list(KEY_FILES.jwtFolder).length === 0) writeJwtKey(files, random, nowMs);
  if (known === undefined) files.write(KEY_FILES.installation, `${id}\n`);
  const pin = certificates.read(root.certificatePem).spkiHash;
  return { id, rootPem: root.certificatePem, pin, created: known === undefined };
}

async function createRoot({ files, certificates, nowMs }: Initialisation, id: string) {
  const notBefore = nowMs - DAY_MS;
  const name = `galaxy-pool ${id}`;
  const root = await certificates.createRoot(name, notBefore, nowMs + ROOT_DAYS * DAY_MS);
  writePair(files, KEY_FILES.root, root);
  return root;
}
