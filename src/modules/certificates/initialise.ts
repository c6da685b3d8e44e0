import { SECRET_BYTES, secretOf } from "@/core/token.ts";
import type { Certificates } from "@/ports/certificates.ts";
import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import { writeJwtKey } from "./jwt-keys.ts";
import { damaged, KEY_FILES, readPair, readSeed, writePair } from "./key-files.ts";

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
 * so it may be repeated, also after it was cut off half way. A whole installation that has lost its
 * root or its audit key is refused (`data.damaged`). The server leaf is made at each start.
 */
export async function initialise(parts: Initialisation): Promise<Installation> {
  const { files, certificates, random, nowMs } = parts;
  const known = files.readText(KEY_FILES.installation)?.trim();
  if (known === undefined) await createKeys(parts, secretOf(random.bytes(SECRET_BYTES)));
  if (files.list(KEY_FILES.jwtFolder).length === 0) writeJwtKey(files, random, nowMs);
  const id = files.readText(KEY_FILES.installation)?.trim() ?? "";
  const root = readPair(files, KEY_FILES.root);
  if (!root) throw damaged(KEY_FILES.root);
  if (!readSeed(files, KEY_FILES.audit)) throw damaged(KEY_FILES.audit);
  const pin = certificates.read(root.certificatePem).spkiHash;
  return { id, rootPem: root.certificatePem, pin, created: known === undefined };
}

/** The id is written last: where it is, the rest was whole. */
async function createKeys(parts: Initialisation, id: string): Promise<void> {
  const { files, certificates, random, nowMs } = parts;
  if (!readPair(files, KEY_FILES.root)) {
    const notAfterMs = nowMs + ROOT_DAYS * DAY_MS;
    const root = await certificates.createRoot(`galaxy-pool ${id}`, nowMs - DAY_MS, notAfterMs);
    writePair(files, KEY_FILES.root, root);
  }
  if (!readSeed(files, KEY_FILES.audit)) files.write(KEY_FILES.audit, random.bytes(32));
  files.write(KEY_FILES.installation, `${id}\n`);
}
