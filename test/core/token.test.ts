import { describe, expect, test } from "bun:test";
import { createHash, createHmac } from "node:crypto";
import { refusalCode } from "#test/support/refusal-code.ts";
import type { PoolId } from "@/core/ids.ts";
import {
  type EnrolmentClaim,
  enrolmentProof,
  formatToken,
  parseToken,
  secretHash,
  secretOf,
  tokenIdOf,
} from "@/core/token.ts";
import { toHex, utf8 } from "@/std/bytes.ts";
import { crc32 } from "@/std/crc32.ts";

const TOKEN = {
  pool: "abcdefghijklmnopqrstuvwxyz" as PoolId,
  pin: Uint8Array.from({ length: 32 }, (_, at) => at),
  id: "tokentok",
  secret: "a2b3c4d5e6f7g2h3i4j5k6l7m2",
};
const TEXT =
  "GP1.abcdefghijklmnopqrstuvwxyz.aaaqeayeaudaocajbifqydiob4ibceqtcqkrmfyydenbwha5dypq.tokentok.a2b3c4d5e6f7g2h3i4j5k6l7m2.";

const CLAIM: EnrolmentClaim = {
  tokenId: "tokentok",
  csr: utf8("a signing request"),
  nonce: Uint8Array.from({ length: 16 }, () => 7),
  leafHash: Uint8Array.from({ length: 32 }, () => 9),
  nodeName: "küche",
  specialization: "storage",
  pool: TOKEN.pool,
};

describe("a join token", () => {
  test("has the text that was published", () => {
    expect(formatToken(TOKEN)).toBe(`${TEXT}01fbecea`);
  });

  test.each([
    ["as it was given", formatToken(TOKEN)],
    ["with spaces around it", `  ${formatToken(TOKEN)}\n`],
    ["in capitals", formatToken(TOKEN).toUpperCase()],
  ])("is read %s", (_, text) => {
    expect(parseToken(text)).toEqual(TOKEN);
  });

  test.each([
    ["nothing", ""],
    ["another version", formatToken(TOKEN).replace("GP1", "GP2")],
    ["no checksum", formatToken(TOKEN).slice(0, -9)],
    ["a part more", `${formatToken(TOKEN)}.x`],
    ["a short pool id", formatToken(TOKEN).replace("abcdef", "abcde")],
    ["a letter base32 lacks", formatToken(TOKEN).replace("tokentok", "tokent0k")],
    ["a pin that is not 32 bytes", formatToken({ ...TOKEN, pin: new Uint8Array(31) })],
    ["bits beyond the pin", withPinEnding("r")],
  ])("is refused with %s", (_, text) => {
    expect(refusalCode(() => parseToken(text))).toBe("token.malformed");
  });

  test("is refused when any one letter of it is wrong", () => {
    const text = formatToken(TOKEN);
    for (let at = 4; at < text.length; at++) {
      const other = text[at] === "a" ? "b" : "a";
      const wrong = text.slice(0, at) + other + text.slice(at + 1);
      expect([at, refusalCode(() => parseToken(wrong))]).toEqual([at, "token.malformed"]);
    }
  });

  test("never stands in the refusal", () => {
    const wrong = formatToken(TOKEN).replace("tokentok", "tokentoc");
    expect(() => parseToken(wrong)).toThrow(/checksum/);
    expect(() => parseToken(wrong)).not.toThrow(/a2b3c4/);
  });

  test("has a secret of 130 bits and an id of 40", () => {
    const ones = new Uint8Array(17).fill(0xff);
    expect(secretOf(ones)).toBe("7".repeat(26));
    expect(tokenIdOf(ones.subarray(0, 5))).toBe("7".repeat(8));
  });
});

describe("the proof of an enrolment", () => {
  const key = secretHash(TOKEN.secret);

  test("is the published HMAC", () => {
    expect(toHex(enrolmentProof(key, CLAIM))).toBe(
      "a1a2a9d2db7c41e3ea7579dfbf25fdc7418a55fe6c40a4f2e5c592dc09a7fd9a",
    );
  });

  test("is what trust.md writes, computed without our code", () => {
    const hash = (...parts: Uint8Array[]) =>
      parts.reduce((sum, part) => sum.update(part), createHash("sha256")).digest();
    const prefixed = (text: string) => {
      const bytes = Buffer.from(text, "utf8");
      return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
    };
    const names = hash(prefixed("küche"), prefixed("storage"), prefixed(TOKEN.pool));
    const mac = createHmac("sha256", hash(utf8(TOKEN.secret)))
      .update("gp-enroll-v1")
      .update(CLAIM.tokenId)
      .update(hash(CLAIM.csr))
      .update(CLAIM.nonce)
      .update(CLAIM.leafHash)
      .update(names)
      .digest("hex");
    expect(toHex(enrolmentProof(key, CLAIM))).toBe(mac);
  });

  test.each<[string, Partial<EnrolmentClaim>]>([
    ["token", { tokenId: "tokentoc" }],
    ["signing request", { csr: utf8("another request") }],
    ["nonce", { nonce: new Uint8Array(16) }],
    ["server", { leafHash: new Uint8Array(32) }],
    ["name", { nodeName: "kuche" }],
    ["specialization", { specialization: "compute" }],
    ["pool", { pool: "zbcdefghijklmnopqrstuvwxyz" }],
    ["split of the names", { nodeName: "küches", specialization: "torage" }],
  ])("is another one for another %s", (_, change) => {
    const other = enrolmentProof(key, { ...CLAIM, ...change });
    expect(toHex(other)).not.toBe(toHex(enrolmentProof(key, CLAIM)));
  });
});

describe("crc32", () => {
  test.each([
    ["", 0],
    ["123456789", 0xcbf43926],
    ["The quick brown fox jumps over the lazy dog", 0x414fa339],
  ])("of %p is the known one", (text, sum) => {
    expect(crc32(utf8(text))).toBe(sum);
  });
});

/** The last letter of a pin has one bit left over, which must be zero. */
function withPinEnding(letter: string): string {
  const parts = formatToken(TOKEN).split(".").slice(0, 5);
  parts[2] = `${(parts[2] ?? "").slice(0, -1)}${letter}`;
  const said = parts.join(".");
  return `${said}.${crc32(utf8(said)).toString(16).padStart(8, "0")}`;
}
