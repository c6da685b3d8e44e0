import {
  cosign,
  formatCheckpoint,
  parseCheckpoint,
  signCheckpoint,
} from "@/core/audit/checkpoint.ts";
import { type AuditEntry, entryText } from "@/core/audit/entry.ts";
import { originOf, witnessKey } from "@/core/audit/log-names.ts";
import { leafHash, MerkleTree } from "@/core/audit/merkle.ts";
import type { NodeId } from "@/core/ids.ts";
import { utf8 } from "@/std/bytes.ts";
import { type SigningKey, sha256, signingKey } from "@/std/crypto.ts";

/** The key of the log in tests, and two witnesses. */
export const logSigner = signingKey(sha256(utf8("log")));
export const witnesses = ["one", "two"].map((name) => {
  const signer = signingKey(sha256(utf8(name)));
  return { signer, key: witnessKey(name as NodeId, signer.publicKey) };
});
export const origin = originOf("abc", "1");

/** An act like any other. */
export function entryOf(number: number, change: Partial<AuditEntry> = {}): AuditEntry {
  return {
    number: BigInt(number),
    atMs: BigInt(1_700_000_000_000 + number),
    actor: "operator:local",
    action: "token.created",
    subject: `token ${number}`,
    detail: `{"uses":${number}}`,
    ...change,
  };
}

/** The lines of a log of `count` acts. */
export function linesOf(count: number): string[] {
  return Array.from({ length: count }, (_, at) => entryText(entryOf(at + 1)));
}

export function treeOf(lines: readonly string[]): MerkleTree {
  const tree = new MerkleTree();
  for (const line of lines) tree.append(leafHash(utf8(line)));
  return tree;
}

/** The signed checkpoint of some lines. */
export function checkpointOf(
  lines: readonly string[],
  { key = logSigner, of = origin }: { key?: SigningKey; of?: string } = {},
): string {
  const root = treeOf(lines).root();
  return formatCheckpoint(signCheckpoint({ origin: of, size: lines.length, root }, key));
}

/** The same with the cosignatures of all witnesses. */
export function cosigned(text: string): string {
  const checkpoint = parseCheckpoint(text);
  const lines = witnesses.map(({ signer, key }) =>
    cosign(checkpoint.note, key, { key: signer, atSeconds: 1_700_000_000 }),
  );
  const note = { ...checkpoint.note, signatures: [...checkpoint.note.signatures, ...lines] };
  return formatCheckpoint({ ...checkpoint, note });
}
