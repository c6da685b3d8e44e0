import { describe, expect, test } from "bun:test";
import { decodeAck, encodeAck, signAck, verifyAck } from "@/core/poot/ack.ts";
import {
  claimHashOf,
  decodeClaim,
  encodeClaim,
  signClaim,
  signedClaim,
  verifyClaim,
} from "@/core/poot/claim.ts";
import { decodeOpen, encodeOpen, sessionIdOf, signOpen, verifyOpen } from "@/core/poot/open.ts";
import {
  checkReceipt,
  decodeReceipt,
  isReceiptFresh,
  issueReceipt,
  rotateMasters,
} from "@/core/poot/receipt.ts";
import { fromHex, toHex } from "@/std/bytes.ts";
import { sha256, verifySignature } from "@/std/crypto.ts";
import { MASTERS, NODE, OTHER, OTHER_POOL, POOL, S } from "./world.ts";

const open = signOpen(
  {
    nodeKey: NODE.publicKey,
    poolKey: POOL.publicKey,
    startSlot: S,
    slotSeconds: 30,
    flags: 1,
    prev: new Uint8Array(32).fill(5),
  },
  NODE,
);
const claim = signClaim(
  {
    session: sessionIdOf(open),
    nodeKey: NODE.publicKey,
    poolKey: POOL.publicKey,
    fromSlot: S,
    toSlot: S + 4,
    ticks: 5,
    receiptHash: new Uint8Array(32).fill(6),
    healthPermille: 987,
    flags: 3,
    prev: new Uint8Array(32).fill(7),
  },
  NODE,
);
const parties = { nodeKey: NODE.publicKey, poolKey: POOL.publicKey };
const fields = {
  slotSeconds: 30,
  session: claim.session,
  ticks: 5,
  slot: S + 4,
  openSlot: S,
  claimHash: claimHashOf(claim),
};
const receipt = issueReceipt(MASTERS, fields, parties);
const ack = signAck(
  {
    claimHash: claimHashOf(claim),
    nodeKey: NODE.publicKey,
    ticks: 5,
    creditTotal: 2 ** 40 + 5,
    slot: S + 4,
  },
  POOL,
);

/** Made by other programs (struct, hashlib and openssl), from the sizes and the order of the fields. */
const GOLDEN = {
  OPEN: [
    "506f4f54314f504e8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121b",
    "f3748801b40f6f5cfd1724385aa0c75b64fb78cd602fa1d991fdebf76b13c58e",
    "d702eac835e9f61800000000038444c0001e0001050505050505050505050505",
    "05050505050505050505050505050505050505059e37d5af7042e042c3d53537",
    "d3a0e7919acbc3fe42b88cbb92eb68ef7c800fc935145e7bb24ebadf90e2c8b0",
    "8b0bda35d850e5aa2a9348e121ddfafe94f4d50b",
  ].join(""),
  CLAIM: [
    "506f4f5431434c4d11699ae3ff3411dcb45dc4164e49a34e8a88e3dd7409f195",
    "fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5cfd1724385aa0c75b",
    "64fb78cd602fa1d991fdebf76b13c58ed702eac835e9f61800000000038444c0",
    "00000000038444c4000000050606060606060606060606060606060606060606",
    "06060606060606060606060603db000307070707070707070707070707070707",
    "07070707070707070707070707070707269b689b24c8b344e97abcbbb35bd16f",
    "6f8cd3be1f183264ccd4c52eda9cdc007fa798e24571d6d7ccf2b4e084b62489",
    "c6f18ae01c3718481d37d8eda55a3307",
  ].join(""),
  RECEIPT: [
    "0107001e11699ae3ff3411dcb45dc4164e49a34e0000000500000000038444c4",
    "00000000038444c07cd218b4846cc936fcd7808c3777baa1d11cf33d2d434180",
    "1c5dbf88145c62649ab944731273a67755ae2d974a1ccf38",
  ].join(""),
  ACK: [
    "506f4f543141434b7cd218b4846cc936fcd7808c3777baa1d11cf33d2d434180",
    "1c5dbf88145c62648a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121b",
    "f3748801b40f6f5c00000005000001000000000500000000038444c4a5be32f1",
    "14d127646d3a01ed1fb1e924c661a661767fd178be44fd6487cf213b8fb1a4c0",
    "7e084a9dedc08cf583454048a9150c3feacccfadd5c4135d61670e04",
  ].join(""),
  session: "11699ae3ff3411dcb45dc4164e49a34e",
  claimHash: "7cd218b4846cc936fcd7808c3777baa1d11cf33d2d4341801c5dbf88145c6264",
};

const MESSAGES = [
  ["OPEN", encodeOpen(open), 180, (bytes: Uint8Array) => encodeOpen(decodeOpen(bytes))],
  ["CLAIM", encodeClaim(claim), 240, (bytes: Uint8Array) => encodeClaim(decodeClaim(bytes))],
  ["RECEIPT", receipt, 88, (bytes: Uint8Array) => receiptAgain(bytes)],
  ["ACK", encodeAck(ack), 156, (bytes: Uint8Array) => encodeAck(decodeAck(bytes))],
] as const;

function receiptAgain(bytes: Uint8Array): Uint8Array {
  return issueReceipt(MASTERS, decodeReceipt(bytes), parties);
}

function changed(bytes: Uint8Array, at: number, by = 1): Uint8Array {
  const copy = bytes.slice();
  copy[at] = ((copy[at] ?? 0) + by) & 0xff;
  return copy;
}

describe("the four messages", () => {
  test.each(MESSAGES)("%s has its golden bytes", (name, bytes, length) => {
    expect(toHex(bytes)).toBe(GOLDEN[name]);
    expect(bytes.length).toBe(length);
  });

  test.each(MESSAGES)("%s is read back as it was written", (_, bytes, __, again) => {
    expect(toHex(again(bytes))).toBe(toHex(bytes));
  });

  test.each(MESSAGES)("%s is refused when it is cut, longer, or begins otherwise", (...row) => {
    const [, bytes, , again] = row;
    for (const wrong of [bytes.slice(0, -1), Uint8Array.of(...bytes, 0), changed(bytes, 0)]) {
      expect(() => again(wrong)).toThrow(expect.objectContaining({ code: "poot.malformed" }));
    }
  });

  test.each([
    ["OPEN", encodeOpen(open), 72, decodeOpen],
    ["CLAIM from", encodeClaim(claim), 88, decodeClaim],
    ["CLAIM to", encodeClaim(claim), 96, decodeClaim],
    ["RECEIPT", receipt, 24, decodeReceipt],
    ["RECEIPT open", receipt, 32, decodeReceipt],
    ["ACK", encodeAck(ack), 84, decodeAck],
    ["ACK total", encodeAck(ack), 76, decodeAck],
  ] as const)(
    "%s with a number no clock and no ledger can show is refused",
    (_, bytes, at, read) => {
      expect(() => read(changed(bytes, at))).toThrow(
        expect.objectContaining({ code: "poot.malformed" }),
      );
    },
  );

  test("a CLAIM of more health than there is is refused", () => {
    const bytes = encodeClaim({ ...claim, healthPermille: 1001 });
    expect(() => decodeClaim(bytes)).toThrow(expect.objectContaining({ kind: "invalid" }));
  });

  test("names come from hashes of the golden bytes", () => {
    expect(toHex(sessionIdOf(open))).toBe(GOLDEN.session);
    expect(toHex(claimHashOf(claim))).toBe(GOLDEN.claimHash);
    expect(toHex(sha256(encodeClaim(claim)))).toBe(GOLDEN.claimHash);
  });
});

describe("signatures", () => {
  test("hold for the one who signed and for nobody else", () => {
    expect(verifyOpen(open)).toBe(true);
    expect(verifyClaim(claim)).toBe(true);
    expect(verifyAck(ack, POOL.publicKey)).toBe(true);
    expect(verifyOpen({ ...open, nodeKey: OTHER.publicKey })).toBe(false);
    expect(verifyClaim({ ...claim, nodeKey: OTHER.publicKey })).toBe(false);
    const { publicKey, message, signature } = signedClaim(claim);
    expect(verifySignature(publicKey, message, signature)).toBe(true);
    expect(verifyAck(ack, OTHER_POOL.publicKey)).toBe(false);
  });

  test.each([8, 40, 79, 81, 83, 84, 115])("an OPEN changed at byte %d does not hold", (at) => {
    expect(verifyOpen(decodeOpen(changed(encodeOpen(open), at)))).toBe(false);
  });

  test.each([8, 24, 56, 95, 103, 107, 108, 141, 143, 144, 175])(
    "a CLAIM changed at byte %d does not hold",
    (at) => {
      expect(verifyClaim(decodeClaim(changed(encodeClaim(claim), at)))).toBe(false);
    },
  );

  test.each([8, 40, 75, 83, 91])("an ACK changed at byte %d does not hold", (at) => {
    expect(verifyAck(decodeAck(changed(encodeAck(ack), at)), POOL.publicKey)).toBe(false);
  });

  test("S beyond the group order does not hold", () => {
    const order = 2n ** 252n + 27742317777372353535851937790883648493n;
    const signature = open.signature.slice();
    let carry = order;
    for (let at = 32; at < 64; at++) {
      carry += BigInt(signature[at] ?? 0);
      signature[at] = Number(carry & 255n);
      carry >>= 8n;
    }
    expect(verifyOpen({ ...open, signature })).toBe(false);
  });

  test.each([
    ["0000000000000000000000000000000000000000000000000000000000000000"],
    ["0000000000000000000000000000000000000000000000000000000000000080"],
    ["0100000000000000000000000000000000000000000000000000000000000000"],
    ["0100000000000000000000000000000000000000000000000000000000000080"],
    ["ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
    ["edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
    ["eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"],
    ["26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"],
    ["c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa"],
  ])("the weak key %s signs nothing", (hex) => {
    const key = fromHex(hex) ?? new Uint8Array(32);
    const identity = Uint8Array.of(1, ...new Uint8Array(63));
    const own = new Uint8Array(64);
    own.set(key);
    for (let message = 0; message < 40; message++) {
      const said = { ...open, nodeKey: key, startSlot: message };
      expect(verifyOpen({ ...said, signature: identity })).toBe(false);
      expect(verifyOpen({ ...said, signature: own })).toBe(false);
    }
  });
});

describe("receipts", () => {
  test("are believed for the node and the pool they were issued to", () => {
    expect(checkReceipt(MASTERS, receipt, parties)).toBe(true);
    expect(checkReceipt(MASTERS, receipt, { ...parties, nodeKey: OTHER.publicKey })).toBe(false);
    expect(checkReceipt(MASTERS, receipt, { ...parties, poolKey: OTHER.publicKey })).toBe(false);
  });

  test.each([0, 1, 2, 4, 23, 31, 39, 40, 72, 87])("are not believed changed at byte %d", (at) => {
    expect(checkReceipt(MASTERS, changed(receipt, at), parties)).toBe(false);
  });

  test("are believed under two masters and forgotten with the third", () => {
    const second = rotateMasters(MASTERS, new Uint8Array(32).fill(1));
    const third = rotateMasters(second, new Uint8Array(32).fill(2));
    expect(second.current.keyId).toBe(8);
    expect(checkReceipt(second, receipt, parties)).toBe(true);
    expect(checkReceipt(second, issueReceipt(second, fields, parties), parties)).toBe(true);
    expect(checkReceipt(third, receipt, parties)).toBe(false);
  });

  test("the key id turns over after 255", () => {
    const last = { current: { keyId: 255, secret: new Uint8Array(32) } };
    expect(rotateMasters(last, new Uint8Array(32)).current.keyId).toBe(0);
  });

  test.each([
    [30, 89_280, true],
    [30, 89_281, false],
    [300, 8_928, true],
    [300, 8_929, false],
  ])("of slots of %d s are fresh after %d slots: %p", (slotSeconds, age, fresh) => {
    const said = { ...decodeReceipt(receipt), slotSeconds };
    expect(isReceiptFresh(said, said.slot + age)).toBe(fresh);
  });
});
