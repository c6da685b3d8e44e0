import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { parseCheckpoint } from "@/core/audit/checkpoint.ts";
import { entryText } from "@/core/audit/entry.ts";
import { originOf } from "@/core/audit/log-names.ts";
import { RESTARTED, restartDetail } from "@/core/audit/restart.ts";
import { type AuditTrust, type ExportedLog, verifyLog } from "@/core/audit/verify.ts";
import { utf8 } from "@/std/bytes.ts";
import { canonicalJson } from "@/std/canonical-json.ts";
import { sha256, signingKey } from "@/std/crypto.ts";
import { checkpointOf, cosigned, entryOf, linesOf, logSigner, witnesses } from "./world.ts";

const TAMPERINGS = 10_000;
const PATIENCE_MS = 60_000;
const stranger = signingKey(sha256(utf8("stranger")));
const lines = linesOf(12);
const log: ExportedLog = { lines, checkpoint: cosigned(checkpointOf(lines)) };
const trust: AuditTrust = {
  publicKey: logSigner.publicKey,
  witnesses: witnesses.map(({ key }) => key),
  quorum: 2,
  older: [],
};
const alone: AuditTrust = { ...trust, witnesses: [], quorum: 0 };

function failed(of: ExportedLog, by: AuditTrust = trust): string[] {
  return verifyLog(of, by).flatMap(({ name, ok }) => (ok ? [] : [name]));
}

/** Ways to change the entries, each of which really changes them. */
const entryTamperings = fc
  .tuple(fc.constantFrom("flip", "insert", "delete", "move", "repeat", "cut"), fc.nat(), fc.nat())
  .map(([way, at, by]) => ({ way, lines: tampered(way, at % lines.length, by) }))
  .filter((tampering) => tampering.lines.join("\n") !== lines.join("\n"));

function tampered(way: string, at: number, by: number): string[] {
  const line = lines[at] ?? "";
  if (way === "flip") {
    const place = by % line.length;
    const letter = String.fromCharCode(line.charCodeAt(place) ^ (1 + (by % 15)));
    return lines.with(at, line.slice(0, place) + letter + line.slice(place + 1));
  }
  if (way === "insert") return lines.toSpliced(at, 0, entryText(entryOf(by)));
  if (way === "repeat") return lines.toSpliced(at, 0, line);
  if (way === "delete") return lines.toSpliced(at, 1 + (by % 5));
  if (way === "move") return lines.toSpliced(at, 1).toSpliced(by % lines.length, 0, line);
  return lines.slice(0, at);
}

describe("verifying a log", () => {
  test("holds when all is as it was signed and enough witnesses cosigned", () => {
    expect(failed(log)).toEqual([]);
    const older = [0, 1, 7, 12].map((size) => checkpointOf(lines.slice(0, size)));
    expect(failed(log, { ...trust, older })).toEqual([]);
    expect(failed(log, { ...trust, witnesses: [], quorum: 0 })).toEqual([]);
  });

  test(
    "sees every tampering with the entries",
    () => {
      fc.assert(
        fc.property(entryTamperings, (tampering) => {
          expect(failed({ ...log, lines: tampering.lines }, alone)).toEqual(["entries"]);
        }),
        { numRuns: TAMPERINGS / 2 },
      );
    },
    PATIENCE_MS,
  );

  test(
    "sees every byte flipped in the checkpoint",
    () => {
      const text = log.checkpoint;
      fc.assert(
        fc.property(fc.nat(text.length - 1), fc.integer({ min: 1, max: 127 }), (at, bits) => {
          const letter = String.fromCharCode(text.charCodeAt(at) ^ bits);
          const checkpoint = text.slice(0, at) + letter + text.slice(at + 1);
          expect(failed({ ...log, checkpoint })).not.toEqual([]);
        }),
        { numRuns: TAMPERINGS / 4 },
      );
    },
    PATIENCE_MS,
  );

  test(
    "sees a log cut to an old checkpoint, or rewritten and signed anew, by one kept from before",
    () => {
      const kept = checkpointOf(lines.slice(0, 9));
      fc.assert(
        fc.property(fc.nat(8), fc.boolean(), (at, isCut) => {
          const subject = `${at} rewritten`;
          const other = isCut
            ? lines.slice(0, at)
            : lines.with(at, entryText(entryOf(at + 1, { subject })));
          const replayed = { lines: other, checkpoint: checkpointOf(other) };
          expect(failed(replayed, alone)).toEqual([]);
          expect(failed(replayed, { ...alone, older: [kept] })).toEqual(["older checkpoint"]);
        }),
        { numRuns: TAMPERINGS / 4 },
      );
    },
    PATIENCE_MS,
  );

  test("needs the key of the log, a quorum of the named witnesses, and older checkpoints that are", () => {
    expect(failed({ ...log, checkpoint: "nothing" })).toEqual(["checkpoint"]);
    expect(failed(log, { ...trust, publicKey: stranger.publicKey })).toEqual(["signature"]);
    expect(failed({ ...log, checkpoint: checkpointOf(lines) })).toEqual(["witnesses"]);
    const [one, two] = trust.witnesses;
    if (!one || !two) throw new Error("there are two witnesses");
    expect(failed(log, { ...trust, witnesses: [one, one] })).toEqual(["witnesses"]);
    const impostor = { ...two, publicKey: stranger.publicKey };
    expect(failed(log, { ...trust, witnesses: [one, impostor] })).toEqual(["witnesses"]);
    expect(failed(log, { ...trust, witnesses: [one, impostor], quorum: 1 })).toEqual([]);
    expect(failed(log, { ...trust, older: ["nothing"] })).toEqual(["older checkpoint"]);
    const forged = checkpointOf(lines, { key: stranger });
    expect(failed(log, { ...trust, older: [forged] })).toEqual(["older checkpoint"]);
  });

  test("follows a log that began anew only if it names a checkpoint no older than the one kept", () => {
    const old = checkpointOf(lines);
    const detail = canonicalJson(restartDetail("restored", parseCheckpoint(old)));
    const restart = entryText(entryOf(99, { action: RESTARTED, detail }));
    const anew = [restart, ...lines.slice(0, 7)];
    const began = { lines: anew, checkpoint: checkpointOf(anew, { of: originOf("abc", "2") }) };
    const by = (older: readonly string[]) => ({ ...trust, witnesses: [], quorum: 0, older });
    expect(failed(began, by([old]))).toEqual([]);
    expect(failed(began, by([checkpointOf(lines.slice(0, 5))]))).toEqual([]);
    expect(failed(began, by([checkpointOf(linesOf(13))]))).toEqual(["older checkpoint"]);
    const fork = lines.with(3, "else");
    expect(failed(began, by([checkpointOf(fork)]))).toEqual(["older checkpoint"]);
    const silent = { ...began, lines: anew.slice(1) };
    expect(failed(silent, by([old]))).toContain("older checkpoint");
  });
});
