import { describe, expect, test } from "bun:test";
import {
  ADDRESS_WAIT_MS,
  type AddressBook,
  type AddressHold,
  addressBookAt,
  decideAddress,
  EMPTY_ADDRESS_BOOK,
  findAddressHold,
  type PayoutAddress,
  receiveAddress,
} from "@/core/payout/address-book.ts";

const a = said("a", "1");
const b = said("b", "2");
const c = said("c", "3");
const day = ADDRESS_WAIT_MS;

function said(address: string, statement: string): PayoutAddress {
  return { rail: "manual", address, statement };
}

/** The book after statements at their times. */
function heard(...statements: readonly (readonly [PayoutAddress, number])[]): AddressBook {
  let book = EMPTY_ADDRESS_BOOK;
  for (const [next, at] of statements) book = receiveAddress(book, next, at);
  return book;
}

describe("the addresses of a node", () => {
  test.each<[string, AddressBook, number, string | undefined, AddressHold | undefined]>([
    ["none: held", EMPTY_ADDRESS_BOOK, 0, undefined, "no_address"],
    ["the first holds at once", heard([a, 0]), 0, "a", undefined],
    [
      "a change keeps the old one and holds the payee",
      heard([a, 0], [b, 9]),
      9,
      "a",
      "address_changing",
    ],
    ["until the last moment of a day", heard([a, 0], [b, 9]), 9 + day - 1, "a", "address_changing"],
    ["then it takes effect", heard([a, 0], [b, 9]), 9 + day, "b", undefined],
    [
      "a second change within the day is contested",
      heard([a, 0], [b, 9], [c, 10]),
      10,
      "a",
      "address_contested",
    ],
    [
      "for ever, without a decision",
      heard([a, 0], [b, 9], [c, 10]),
      99 * day,
      "a",
      "address_contested",
    ],
    [
      "a change back is a second change",
      heard([a, 0], [b, 9], [a, 10]),
      10,
      "a",
      "address_contested",
    ],
    [
      "a third changes nothing",
      heard([a, 0], [b, 9], [c, 10], [b, 11 * day]),
      99 * day,
      "a",
      "address_contested",
    ],
    [
      "a change after a day is a first one",
      heard([a, 0], [b, 9], [c, 9 + day]),
      9 + day,
      "b",
      "address_changing",
    ],
    [
      "a change in the last moment is a second one",
      heard([a, 0], [b, 9], [c, 8 + day]),
      9 + day,
      "a",
      "address_contested",
    ],
    ["to say it again is no change", heard([a, 0], [said("a", "9"), 5]), 5, "a", undefined],
    [
      "nor does it wait longer",
      heard([a, 0], [b, 9], [said("b", "9"), 99]),
      9 + day,
      "b",
      undefined,
    ],
    [
      "another rail is a change",
      heard([a, 0], [{ ...a, rail: "stellar" }, 5]),
      5,
      "a",
      "address_changing",
    ],
  ])("%s", (_, book, now, address, hold) => {
    expect(addressBookAt(book, now).confirmed?.address).toBe(address);
    expect(findAddressHold(book, now)).toBe(hold);
  });

  test("remember the newest statement of an address said again", () => {
    expect(heard([a, 0], [said("a", "9"), 5]).confirmed?.statement).toBe("9");
    expect(heard([a, 0], [b, 1], [said("b", "9"), 5]).waiting?.statement).toBe("9");
  });
});

describe("the operator's decision", () => {
  const contested = heard([a, 0], [b, 9], [c, 10]);

  test.each([
    ["confirmed" as const, "a"],
    ["newest" as const, "c"],
  ])("for the %s address ends the hold", (choice, address) => {
    const book = decideAddress(contested, choice);
    expect(book.confirmed?.address).toBe(address);
    expect(findAddressHold(book, 10)).toBeUndefined();
  });

  test("is not asked for otherwise", () => {
    expect(() => decideAddress(heard([a, 0], [b, 9]), "newest")).toThrow("no contested address");
    expect(() => decideAddress(EMPTY_ADDRESS_BOOK, "newest")).toThrow("no contested address");
  });
});
