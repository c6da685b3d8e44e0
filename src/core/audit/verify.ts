import { sameBytes, utf8 } from "@/std/bytes.ts";
import { findCosignature, isCheckpointOf, type SignedCheckpoint } from "./checkpoint.ts";
import { leafHash, MerkleTree } from "./merkle.ts";
import type { NoteKey } from "./note.ts";
import { namedCheckpoint, readCheckpoint } from "./restart.ts";

/** A log as it was exported: one entry a line, in the order of the tree. */
export interface ExportedLog {
  readonly lines: readonly string[];
  /** A signed note. */
  readonly checkpoint: string;
}

/** Whom the verifier believes, and what it kept from earlier. */
export interface AuditTrust {
  /** The Ed25519 key of the log. */
  readonly publicKey: Uint8Array;
  readonly witnesses: readonly NoteKey[];
  /** How many of them must have cosigned. */
  readonly quorum: number;
  /** Older checkpoints, as signed notes: the log must contain them. */
  readonly older: readonly string[];
}

/** One thing that was checked. */
export interface AuditCheck {
  readonly name: string;
  readonly ok: boolean;
  readonly sentence: string;
}

/** Checks a whole log: signature, every entry against the root, witnesses, older checkpoints. */
export function verifyLog(log: ExportedLog, trust: AuditTrust): readonly AuditCheck[] {
  const checkpoint = readCheckpoint(log.checkpoint);
  if (!checkpoint)
    return [check("checkpoint", false, "The checkpoint is no signed note of a log.")];
  const tree = new MerkleTree();
  for (const line of log.lines) tree.append(leafHash(utf8(line)));
  return [
    signatureCheck(checkpoint, trust),
    ...entryChecks(checkpoint, tree),
    quorumCheck(checkpoint, trust),
    ...trust.older.map((text) => olderCheck(text, { log, tree, checkpoint, trust })),
  ];
}

function signatureCheck(checkpoint: SignedCheckpoint, { publicKey }: AuditTrust): AuditCheck {
  const ok = isCheckpointOf(checkpoint, publicKey);
  const said = ok ? "is signed by the key of the log" : "is NOT signed by the key of the log";
  return check("signature", ok, `The checkpoint of ${checkpoint.size} entries ${said}.`);
}

function entryChecks(checkpoint: SignedCheckpoint, tree: MerkleTree): readonly AuditCheck[] {
  const { size, root } = checkpoint;
  if (tree.size !== size) {
    const sentence = `There are ${tree.size} entries; the checkpoint is of ${size}.`;
    return [check("entries", false, sentence)];
  }
  const ok = sameBytes(tree.root(), root);
  const sentence = ok
    ? `All ${size} entries are those that were signed, in their order.`
    : "The entries are NOT those that were signed: something was changed, added, removed or moved.";
  return [check("entries", ok, sentence)];
}

function quorumCheck({ note }: SignedCheckpoint, { witnesses, quorum }: AuditTrust): AuditCheck {
  const names = new Set(witnesses.flatMap((key) => (findCosignature(note, key) ? [key.name] : [])));
  const sentence =
    witnesses.length === 0
      ? "No witness was named, so none was asked for."
      : `${names.size} of the ${witnesses.length} witnesses named have cosigned; ${quorum} must.`;
  return check("witnesses", names.size >= quorum, sentence);
}

interface Held {
  readonly log: ExportedLog;
  readonly tree: MerkleTree;
  readonly checkpoint: SignedCheckpoint;
  readonly trust: AuditTrust;
}

function olderCheck(text: string, { log, tree, checkpoint, trust }: Held): AuditCheck {
  const old = readCheckpoint(text);
  if (!old || !isCheckpointOf(old, trust.publicKey)) {
    return check("older checkpoint", false, "The older checkpoint is not signed by the log's key.");
  }
  if (old.origin !== checkpoint.origin) return restartCheck(old, log, trust);
  if (old.size > tree.size) {
    const sentence = `The log once had ${old.size} entries and now has ${tree.size}: it was cut.`;
    return check("older checkpoint", false, sentence);
  }
  const ok = sameBytes(tree.root(old.size), old.root);
  const sentence = ok
    ? `The log begins with the ${old.size} entries of the older checkpoint.`
    : `The first ${old.size} entries are NOT those of the older checkpoint: history was rewritten.`;
  return check("older checkpoint", ok, sentence);
}

/** A log that began anew must say so, and name a checkpoint no older than the one that was kept. */
function restartCheck(
  old: SignedCheckpoint,
  { lines }: ExportedLog,
  trust: AuditTrust,
): AuditCheck {
  const ok = lines.some((line) => {
    const named = namedCheckpoint(line, trust.publicKey);
    if (named?.origin !== old.origin || named.size < old.size) return false;
    return named.size > old.size || sameBytes(named.root, old.root);
  });
  const sentence = ok
    ? `The log began anew, and says so: it names a checkpoint of ${old.origin} no older than this.`
    : `The older checkpoint is of ${old.origin}, and the log does not say what became of that.`;
  return check("older checkpoint", ok, sentence);
}

function check(name: string, ok: boolean, sentence: string): AuditCheck {
  return { name, ok, sentence };
}
