import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import {
  type AddressStatement,
  addressHash,
  decodeAddress,
  encodeAddress,
  NO_STATEMENT,
  requireAddress,
  signAddress,
  verifyAddress,
} from "@/core/payout/address.ts";
import { toHex } from "@/std/bytes.ts";
import { signingKey } from "@/std/crypto.ts";

const node = signingKey(new Uint8Array(32).fill(1));
const pool = signingKey(new Uint8Array(32).fill(2));
const first: AddressStatement = {
  nodeKey: node.publicKey,
  poolKey: pool.publicKey,
  rail: "manual",
  address: "IBAN DE00 1234",
  previous: NO_STATEMENT,
  slot: 1_000,
};
const terms = { ...first, previousSlot: -1 };
const bytes = signAddress(first, node);

function changed(at: number, value: number): Uint8Array {
  const copy = bytes.slice();
  copy[at] = value;
  return copy;
}

describe("an address statement", () => {
  test("has exactly these bytes", () => {
    expect(toHex(encodeAddress(first))).toBe(
      "4750414452310000" +
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c" +
        "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394" +
        "00066d616e75616c" +
        "000e4942414e20444530302031323334" +
        "00".repeat(32) +
        "00000000000003e8",
    );
    expect(bytes.length).toBe(200);
    expect(toHex(addressHash(bytes))).toBe(
      "01a95c4acfd6d2365fced9e68823065ee4fca1bf72d377079e0179d174494e95",
    );
  });

  test("is read as it was written", () => {
    expect(decodeAddress(bytes)).toEqual(first);
    expect(verifyAddress(bytes, terms)).toEqual(first);
  });

  test("follows the one before it by hash and slot", () => {
    const second = { ...first, address: "x", previous: addressHash(bytes), slot: 1_001 };
    const after = { ...terms, previous: addressHash(bytes), previousSlot: 1_000 };
    expect(refusalCode(() => verifyAddress(signAddress(second, node), after))).toBe("allowed");
    const late = signAddress({ ...second, slot: 1_000 }, node);
    expect(refusalCode(() => verifyAddress(late, after))).toBe("payout.statement_out_of_order");
    expect(refusalCode(() => verifyAddress(bytes, after))).toBe("payout.statement_out_of_order");
    const fork = signAddress({ ...second, previous: NO_STATEMENT }, node);
    expect(refusalCode(() => verifyAddress(fork, after))).toBe("payout.statement_out_of_order");
  });

  test.each([
    ["of another node", { nodeKey: pool.publicKey }, "payout.statement_foreign"],
    ["for another pool", { poolKey: node.publicKey }, "payout.statement_foreign"],
  ])("%s is refused", (_, change, code) => {
    expect(
      refusalCode(() => verifyAddress(signAddress({ ...first, ...change }, node), terms)),
    ).toBe(code);
  });

  test("signed by somebody else, the operator too, is refused", () => {
    expect(refusalCode(() => verifyAddress(signAddress(first, pool), terms))).toBe(
      "payout.statement_unsigned",
    );
  });

  test("with any byte changed is refused", () => {
    for (let at = 0; at < bytes.length; at++) {
      const forged = changed(at, (bytes[at] ?? 0) ^ 1);
      expect(refusalCode(() => verifyAddress(forged, terms))).not.toBe("allowed");
    }
  });

  test("cut short or made longer is malformed", () => {
    for (let length = 0; length < bytes.length; length++) {
      const code = refusalCode(() => decodeAddress(bytes.subarray(0, length)));
      expect(code).toBe("payout.statement_malformed");
    }
    const longer = new Uint8Array([...bytes, 0]);
    expect(refusalCode(() => decodeAddress(longer))).toBe("payout.statement_malformed");
  });

  test("that promises more letters than it has is malformed", () => {
    expect(refusalCode(() => decodeAddress(changed(72, 0xff)))).toBe("payout.statement_malformed");
    expect(refusalCode(() => decodeAddress(changed(80, 0xff)))).toBe("payout.statement_malformed");
    expect(refusalCode(() => decodeAddress(changed(73, 6 + 2 + 14 + 32 + 8 + 64)))).toBe(
      "payout.statement_malformed",
    );
  });
});

describe("an address", () => {
  test.each(["a", "x".repeat(256), "GABC...", "+98 912 000", "=SUM(A1)", "a b"])(
    "%p is one",
    (text) => {
      expect(refusalCode(() => requireAddress(text))).toBe("allowed");
    },
  );

  test.each(["", "x".repeat(257), " a", "a ", "a\nb", "é", "a\u007f", "a\u0000", "‮a"])(
    "%p is none",
    (text) => {
      expect(refusalCode(() => requireAddress(text))).toBe("payout.address_malformed");
      const statement = { ...first, address: text };
      expect(refusalCode(() => signAddress(statement, node))).toBe("payout.address_malformed");
    },
  );

  test.each(["", "Manual", "a b", "x".repeat(33)])("goes with no rail named %p", (rail) => {
    expect(refusalCode(() => signAddress({ ...first, rail }, node))).toBe("payout.rail_malformed");
  });
});
