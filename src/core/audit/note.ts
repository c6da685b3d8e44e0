import { concat, fromBase64, sameBytes, toBase64, toHex, utf8 } from "@/std/bytes.ts";
import { type SigningKey, sha256, verifySignature } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";

/** What a key signs: the log its checkpoints, a witness what it saw of them. */
export type NoteKeyType = "log" | "witness";

/** A public key with a name: who signs notes. */
export interface NoteKey {
  readonly name: string;
  readonly type: NoteKeyType;
  readonly publicKey: Uint8Array;
}

/** One signature line of a note. */
export interface NoteSignature {
  readonly name: string;
  /** 4 bytes that stand for name, kind and key. */
  readonly keyId: Uint8Array;
  readonly signature: Uint8Array;
}

/** A signed note (C2SP signed-note): a text, and who signed it. */
export interface Note {
  /** Ends with a line feed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** More than this many signatures are refused, as other verifiers do. */
export const NOTE_SIGNATURES_MAX = 100;
const NOTE_CHARACTERS_MAX = 64 * 1024;
const KEY_ID_BYTES = 4;
const KEY_BYTES = 32;
/** The kinds of signature of C2SP signed-note. */
const TYPE_BYTES: Readonly<Record<NoteKeyType, number>> = { log: 1, witness: 4 };
/** Not a space of any kind, not a plus, no control character. */
const NAME = /^[^\s+\p{Cc}\p{Cf}]{1,255}$/u;
const BEGINS = "— ";

/** What a signature line begins with: 4 bytes of SHA-256 over name, kind and key. */
export function keyIdOf({ name, type, publicKey }: NoteKey): Uint8Array {
  const kind = new Uint8Array([TYPE_BYTES[type]]);
  return sha256(utf8(`${name}\n`), kind, publicKey).slice(0, KEY_ID_BYTES);
}

/** A key as text: name, id and key, joined by `+`. */
export function formatNoteKey(key: NoteKey): string {
  const bytes = concat(new Uint8Array([TYPE_BYTES[key.type]]), key.publicKey);
  return `${key.name}+${toHex(keyIdOf(key))}+${toBase64(bytes)}`;
}

/** Reads a key of `formatNoteKey`; refuses one whose id is not its own (`audit.bad_key`). */
export function parseNoteKey(text: string): NoteKey {
  const [name = "", id = "", ...rest] = text.trim().split("+");
  const bytes = canonicalBase64(rest.join("+"));
  const type = bytes && typeOf(bytes[0]);
  if (!NAME.test(name) || !type || bytes.length !== KEY_BYTES + 1) throw badKey(text);
  const key: NoteKey = { name, type, publicKey: bytes.slice(1) };
  if (id !== toHex(keyIdOf(key))) throw badKey(text);
  return key;
}

/** Reads a signed note; refuses anything that is not exactly one (`audit.malformed`). */
export function parseNote(text: string): Note {
  if (text.length > NOTE_CHARACTERS_MAX || !text.isWellFormed()) throw malformed("it is too long");
  if (/[^\n\P{Cc}]/u.test(text)) throw malformed("it holds control characters");
  const split = text.lastIndexOf("\n\n");
  if (split < 0 || !text.endsWith("\n")) throw malformed("its text has no signatures below");
  const lines = text.slice(split + 2, -1).split("\n");
  if (lines.length > NOTE_SIGNATURES_MAX) throw malformed("it has too many signatures");
  return { text: text.slice(0, split + 1), signatures: lines.map(signatureIn) };
}

/** A note as text. */
export function formatNote({ text, signatures }: Note): string {
  return `${text}\n${signatures.map(lineOf).join("")}`;
}

/** The log's signature of a text. */
export function signNote(text: string, name: string, key: SigningKey): NoteSignature {
  const keyId = keyIdOf({ name, type: "log", publicKey: key.publicKey });
  return { name, keyId, signature: key.sign(utf8(text)) };
}

/** The signatures that name this key, whatever they are worth. */
export function signaturesOf(note: Note, key: NoteKey): readonly NoteSignature[] {
  const id = keyIdOf(key);
  return note.signatures.filter(({ name, keyId }) => name === key.name && sameBytes(keyId, id));
}

/** Whether a log's key signed the note: it did at least once, and nothing in its name is false. */
export function isSignedBy(note: Note, key: NoteKey): boolean {
  const message = utf8(note.text);
  const found = signaturesOf(note, key);
  const holds = ({ signature }: NoteSignature) =>
    verifySignature(key.publicKey, message, signature);
  return key.type === "log" && found.length > 0 && found.every(holds);
}

function signatureIn(line: string): NoteSignature {
  const [name = "", encoded = "", ...more] = line.slice(BEGINS.length).split(" ");
  const bytes = canonicalBase64(encoded);
  if (!line.startsWith(BEGINS) || !NAME.test(name) || more.length > 0) {
    throw malformed("a signature line is none");
  }
  if (!bytes || bytes.length <= KEY_ID_BYTES) throw malformed("a signature is none");
  return { name, keyId: bytes.slice(0, KEY_ID_BYTES), signature: bytes.slice(KEY_ID_BYTES) };
}

function lineOf({ name, keyId, signature }: NoteSignature): string {
  return `${BEGINS}${name} ${toBase64(concat(keyId, signature))}\n`;
}

function typeOf(byte: number | undefined): NoteKeyType | undefined {
  if (byte === TYPE_BYTES.log) return "log";
  return byte === TYPE_BYTES.witness ? "witness" : undefined;
}

/** Standard base64 in its one spelling. */
export function canonicalBase64(text: string): Uint8Array | undefined {
  const bytes = fromBase64(text);
  return bytes && toBase64(bytes) === text ? bytes : undefined;
}

/** The refusal of a note or checkpoint that is none. */
export function malformed(why: string): PoolError {
  return new PoolError("invalid", "audit.malformed", `This is no signed checkpoint: ${why}.`);
}

function badKey(text: string): PoolError {
  return new PoolError(
    "invalid",
    "audit.bad_key",
    `"${text.slice(0, 80)}" is no key of a log or witness; it is written NAME+HASH+BASE64, as "audit verify" and "node status" print it.`,
  );
}
