import { concat, toBase64, utf8 } from "@/std/bytes.ts";
import { Reader, Writer } from "@/std/codec.ts";
import { type SigningKey, verifySignature } from "@/std/crypto.ts";
import { HASH_BYTES, type Hash } from "./merkle.ts";
import {
  canonicalBase64,
  formatNote,
  isSignedBy,
  keyIdOf,
  malformed,
  type Note,
  type NoteKey,
  type NoteSignature,
  parseNote,
  signaturesOf,
  signNote,
} from "./note.ts";

/** What a log says of itself at one moment (C2SP tlog-checkpoint). */
export interface Checkpoint {
  /** Which log. */
  readonly origin: string;
  /** How many entries. */
  readonly size: number;
  readonly root: Hash;
}

/** A checkpoint with the note that carries it. */
export interface SignedCheckpoint extends Checkpoint {
  readonly note: Note;
}

/** What a witness said of a checkpoint, and when. */
export interface Cosignature {
  readonly atSeconds: number;
  readonly signature: NoteSignature;
}

const STAMP_BYTES = 8;
const SIGNATURE_BYTES = 64;

/** The text that is signed. */
export function checkpointText({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${toBase64(root)}\n`;
}

/** Signs a checkpoint; the key's name is the log's origin. */
export function signCheckpoint(checkpoint: Checkpoint, key: SigningKey): SignedCheckpoint {
  const text = checkpointText(checkpoint);
  const note = { text, signatures: [signNote(text, checkpoint.origin, key)] };
  return { ...checkpoint, note };
}

/**
 * Reads a checkpoint; no signature is checked. Extension lines are refused: our logs write none, and
 * nothing unread is to be signed by a witness.
 */
export function parseCheckpoint(text: string): SignedCheckpoint {
  const note = parseNote(text);
  const [origin = "", count = "", encoded = "", ...rest] = note.text.split("\n");
  const root = canonicalBase64(encoded);
  const size = Number(count);
  if (origin === "" || rest.length !== 1) throw malformed("it is not three lines");
  if (!/^(0|[1-9]\d{0,15})$/.test(count) || !Number.isSafeInteger(size)) {
    throw malformed("its size is no number");
  }
  if (!root || root.length !== HASH_BYTES) throw malformed("its root is no hash");
  return { origin, size, root, note };
}

/** A checkpoint as text, with every signature it carries. */
export function formatCheckpoint({ note }: SignedCheckpoint): string {
  return formatNote(note);
}

/** The key a log of this origin signs with. */
export function logKey(origin: string, publicKey: Uint8Array): NoteKey {
  return { name: origin, type: "log", publicKey };
}

/** Whether the log of its origin signed it with this key. */
export function isCheckpointOf(checkpoint: SignedCheckpoint, publicKey: Uint8Array): boolean {
  return isSignedBy(checkpoint.note, logKey(checkpoint.origin, publicKey));
}

/** The cosignature of a witness that saw the checkpoint and its consistency (cosignature/v1). */
export function cosign(
  { text }: Pick<Note, "text">,
  witness: Pick<NoteKey, "name">,
  by: { readonly key: SigningKey; readonly atSeconds: number },
): NoteSignature {
  const { key, atSeconds } = by;
  const signed = key.sign(cosignedMessage(text, atSeconds));
  const signature = concat(new Writer(STAMP_BYTES).u64(atSeconds).done(), signed);
  const keyId = keyIdOf({ name: witness.name, type: "witness", publicKey: key.publicKey });
  return { name: witness.name, keyId, signature };
}

/** The newest cosignature of a witness that holds; undefined when there is none. */
export function findCosignature(note: Note, witness: NoteKey): Cosignature | undefined {
  const found = signaturesOf(note, witness).flatMap((signature) => {
    const atSeconds = stampOf(signature);
    if (atSeconds === undefined || witness.type !== "witness") return [];
    const message = cosignedMessage(note.text, atSeconds);
    const holds = verifySignature(
      witness.publicKey,
      message,
      signature.signature.slice(STAMP_BYTES),
    );
    return holds ? [{ atSeconds, signature }] : [];
  });
  return found.sort((a, b) => b.atSeconds - a.atSeconds)[0];
}

function cosignedMessage(text: string, atSeconds: number): Uint8Array {
  return utf8(`cosignature/v1\ntime ${atSeconds}\n${text}`);
}

function stampOf({ signature }: NoteSignature): number | undefined {
  if (signature.length !== STAMP_BYTES + SIGNATURE_BYTES) return undefined;
  return new Reader(signature).u64();
}
