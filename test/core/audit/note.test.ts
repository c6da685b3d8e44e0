import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import {
  checkpointText,
  cosign,
  findCosignature,
  formatCheckpoint,
  isCheckpointOf,
  parseCheckpoint,
  signCheckpoint,
} from "@/core/audit/checkpoint.ts";
import { isOriginIn, nodeOfWitness, originOf, witnessKey } from "@/core/audit/log-names.ts";
import {
  formatNote,
  formatNoteKey,
  isSignedBy,
  parseNote,
  parseNoteKey,
  signNote,
} from "@/core/audit/note.ts";
import type { NodeId } from "@/core/ids.ts";
import { toHex, utf8 } from "@/std/bytes.ts";
import { sha256, signingKey } from "@/std/crypto.ts";

/** The example of golang.org/x/mod/sumdb/note: key, text, signatures of two people. */
const NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const NEUMANN_SEED = "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz";
const TEXT =
  "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const NEUMANN_LINE =
  "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
/** The example of C2SP tlog-cosignature. */
const SOFA = `example.com/behind-the-sofa
20852163
CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=

— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=
— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==
`;

const log = signingKey(sha256(utf8("log")));
const node = signingKey(sha256(utf8("node")));
const origin = originOf("abc", "1");
const witness = witnessKey("xulz3ufj4l74k4cs542cde7p33" as NodeId, node.publicKey);
const checkpoint = { origin, size: 7, root: sha256(utf8("root")) };

describe("a signed note", () => {
  test("is read, written and signed as Go does", () => {
    const note = parseNote(`${TEXT}\n${NEUMANN_LINE}`);
    const key = parseNoteKey(NEUMANN);
    expect(note.text).toBe(TEXT);
    expect(isSignedBy(note, key)).toBe(true);
    expect(formatNote(note)).toBe(`${TEXT}\n${NEUMANN_LINE}`);
    expect(formatNoteKey(key)).toBe(NEUMANN);
    const seed = Buffer.from(NEUMANN_SEED, "base64").subarray(1);
    const signature = signNote(TEXT, "PeterNeumann", signingKey(seed));
    expect(formatNote({ text: TEXT, signatures: [signature] })).toBe(`${TEXT}\n${NEUMANN_LINE}`);
  });

  test("whose text was changed, or that nobody we know signed, is not believed", () => {
    const key = parseNoteKey(NEUMANN);
    expect(isSignedBy(parseNote(`${TEXT}more\n\n${NEUMANN_LINE}`), key)).toBe(false);
    const note = parseNote(`${TEXT}\n${NEUMANN_LINE}`);
    expect(isSignedBy(note, { ...key, name: "Peter" })).toBe(false);
    expect(isSignedBy(note, { ...key, type: "witness" })).toBe(false);
  });

  test("with one true and one false signature of a key is not believed", () => {
    const key = parseNoteKey(NEUMANN);
    const [line] = parseNote(`${TEXT}\n${NEUMANN_LINE}`).signatures;
    if (!line) throw new Error("the note is signed");
    const forged = { ...line, signature: line.signature.with(9, 0) };
    expect(isSignedBy({ text: TEXT, signatures: [line, forged] }, key)).toBe(false);
  });

  test.each([
    ["without signatures", TEXT],
    ["without an end of line", `${TEXT}\n${NEUMANN_LINE}`.slice(0, -1)],
    ["with a carriage return", `${TEXT}\r\n\n${NEUMANN_LINE}`],
    ["with a lone surrogate", `${TEXT}\ud800\n\n${NEUMANN_LINE}`],
    ["with another dash", `${TEXT}\n${NEUMANN_LINE.replace("—", "-")}`],
    ["with a fourth word", `${TEXT}\n${NEUMANN_LINE.replace("\n", " x\n")}`],
    ["with a plus in a name", `${TEXT}\n${NEUMANN_LINE.replace("Peter", "Pe+er")}`],
    ["with a space in a name", `${TEXT}\n${NEUMANN_LINE.replace("Peter", "Peter\u00a0")}`],
    ["with base64 of two spellings", `${TEXT}\n${NEUMANN_LINE.replace("AM=", "AN=")}`],
    ["with base64 that is none", `${TEXT}\n${NEUMANN_LINE.replace("x08", "x.8")}`],
    ["with nothing but a key id", `${TEXT}\n— PeterNeumann x08gow==\n`],
    ["with an empty line below", `${TEXT}\n${NEUMANN_LINE}\n`],
    ["with too many signatures", `${TEXT}\n${NEUMANN_LINE.repeat(101)}`],
    ["too long", `${"a".repeat(65_537)}\n\n${NEUMANN_LINE}`],
  ])("%s is refused", (_, text) => {
    expect(refusalCode(() => parseNote(text))).toBe("audit.malformed");
  });

  test("may hold empty lines in its text", () => {
    expect(parseNote(`a\n\nb\n\n${NEUMANN_LINE}`).text).toBe("a\n\nb\n");
  });
});

describe("a key as text", () => {
  test("of a witness says that it is one", () => {
    const text = formatNoteKey(witness);
    expect(parseNoteKey(`${text}\n`)).toEqual(witness);
    expect(text).toStartWith("galaxy-pool.internal/node/xulz3ufj4l74k4cs542cde7p33+");
  });

  test.each([
    ["another id", NEUMANN.replace("c74f20a3", "c74f20a4")],
    ["another name", NEUMANN.replace("Peter", "Piter")],
    ["another kind", NEUMANN.replace("ARpc", "Ahpc")],
    ["a short key", NEUMANN.slice(0, -4)],
    ["no key", "PeterNeumann+c74f20a3"],
    ["no name", NEUMANN.slice("PeterNeumann".length)],
    ["nothing", ""],
  ])("with %s is refused", (_, text) => {
    expect(refusalCode(() => parseNoteKey(text))).toBe("audit.bad_key");
  });
});

describe("a checkpoint", () => {
  test("of C2SP's example is read to the letter, and its cosignature too", () => {
    const read = parseCheckpoint(SOFA);
    expect(read.origin).toBe("example.com/behind-the-sofa");
    expect(read.size).toBe(20_852_163);
    expect(formatCheckpoint(read)).toBe(SOFA);
    expect(checkpointText(read)).toBe(read.note.text);
    const [, line] = read.note.signatures;
    expect(toHex(line?.keyId ?? new Uint8Array())).toBe("8d66cf3f");
    expect(new DataView((line?.signature ?? new Uint8Array(8)).buffer).getBigUint64(0)).toBe(
      1_679_315_147n,
    );
  });

  test("is signed by its log and by nobody else", () => {
    const signed = signCheckpoint(checkpoint, log);
    const read = parseCheckpoint(formatCheckpoint(signed));
    expect(read).toEqual(signed);
    expect(isCheckpointOf(read, log.publicKey)).toBe(true);
    expect(isCheckpointOf(read, node.publicKey)).toBe(false);
    const other = parseCheckpoint(formatCheckpoint(signed).replace("\n7\n", "\n8\n"));
    expect(isCheckpointOf(other, log.publicKey)).toBe(false);
  });

  test.each([
    ["an extension line", (text: string) => text.replace("\n\n", "\nmore\n\n")],
    ["a size with a zero in front", (text: string) => text.replace("\n7\n", "\n07\n")],
    ["a negative size", (text: string) => text.replace("\n7\n", "\n-7\n")],
    [
      "a size beyond exact numbers",
      (text: string) => text.replace("\n7\n", "\n9007199254740992\n"),
    ],
    ["no size", (text: string) => text.replace("\n7\n", "\n")],
    ["a short root", (text: string) => text.replace(/\n7\n.*\n/, "\n7\nAAAA\n")],
    ["a root that is none", (text: string) => text.replace(/\n7\n.*\n/, "\n7\n.\n")],
    ["no origin", (text: string) => text.slice(origin.length)],
  ])("with %s is refused", (_, change) => {
    const text = change(formatCheckpoint(signCheckpoint(checkpoint, log)));
    expect(refusalCode(() => parseCheckpoint(text))).toBe("audit.malformed");
  });

  test("tells the logs of an installation from others", () => {
    expect(isOriginIn("abc", origin)).toBe(true);
    expect(isOriginIn("abcd", origin)).toBe(false);
    expect(nodeOfWitness(witness.name)).toBe("xulz3ufj4l74k4cs542cde7p33");
    expect(nodeOfWitness(origin)).toBeUndefined();
  });
});

describe("a cosignature", () => {
  const { note } = signCheckpoint(checkpoint, log);
  const by = { key: node, atSeconds: 1_700_000_000 };

  test("holds for its witness, its text and its time", () => {
    const signature = cosign(note, witness, by);
    const cosigned = { ...note, signatures: [...note.signatures, signature] };
    expect(parseNote(formatNote(cosigned))).toEqual(cosigned);
    expect(findCosignature(cosigned, witness)).toEqual({ atSeconds: 1_700_000_000, signature });
    expect(isSignedBy(cosigned, { name: origin, type: "log", publicKey: log.publicKey })).toBe(
      true,
    );
  });

  test("the newest of several counts", () => {
    const older = cosign(note, witness, { key: node, atSeconds: 1 });
    const newer = cosign(note, witness, by);
    const cosigned = { ...note, signatures: [older, newer] };
    expect(findCosignature(cosigned, witness)?.atSeconds).toBe(1_700_000_000);
  });

  test.each([
    ["of another text", (line: Signature) => ({ text: `${note.text}.`, signatures: [line] })],
    ["with another time", (line: Signature) => changed(line, 7)],
    ["with a changed signature", (line: Signature) => changed(line, 40)],
    ["of another length", (line: Signature) => cut(line)],
  ])("%s is none", (_, change) => {
    expect(findCosignature(change(cosign(note, witness, by)), witness)).toBeUndefined();
  });

  test("of a log's key is none", () => {
    const asLog = { ...witness, type: "log" as const };
    const signature = {
      ...cosign(note, witness, by),
      keyId: signNote("", witness.name, node).keyId,
    };
    expect(findCosignature({ ...note, signatures: [signature] }, asLog)).toBeUndefined();
  });

  type Signature = ReturnType<typeof cosign>;
  function changed(line: Signature, at: number) {
    const signature = line.signature.with(at, (line.signature[at] ?? 0) ^ 1);
    return { ...note, signatures: [{ ...line, signature }] };
  }
  function cut(line: Signature) {
    return { ...note, signatures: [{ ...line, signature: line.signature.slice(1) }] };
  }
});
