import { PoolError } from "@/std/errors.ts";

/** How long a changed address waits, and its payee is held: time to notice a thief. */
export const ADDRESS_WAIT_MS = 24 * 3_600_000;

/** An address of a node as one of its statements says it. */
export interface PayoutAddress {
  readonly rail: string;
  readonly address: string;
  /** The statement's hash in hexadecimal. */
  readonly statement: string;
}

/** The addresses of one node at one pool. */
export interface AddressBook {
  readonly confirmed?: PayoutAddress;
  readonly waiting?: PayoutAddress;
  /** When the waiting address takes effect, in milliseconds of the pool's clock. */
  readonly effectiveAt?: number;
  /** Two changes within a day: nothing takes effect until the operator has decided. */
  readonly contested: boolean;
}

/** Why a payee's address keeps them from being paid. */
export type AddressHold = "no_address" | "address_changing" | "address_contested";

/** A node that has not said anything yet. */
export const EMPTY_ADDRESS_BOOK: AddressBook = { contested: false };

/** The book at a time: a waiting address that has waited long enough is the confirmed one. */
export function addressBookAt(book: AddressBook, now: number): AddressBook {
  const { waiting, effectiveAt, contested } = book;
  if (!waiting || effectiveAt === undefined || contested || now < effectiveAt) return book;
  return { confirmed: waiting, contested: false };
}

/**
 * The book after a verified statement. The first address holds at once; a change waits a day; a
 * second change within that day, also back to the old address, leaves it to the operator.
 */
export function receiveAddress(before: AddressBook, next: PayoutAddress, now: number): AddressBook {
  const book = addressBookAt(before, now);
  const { confirmed, waiting, contested } = book;
  if (!confirmed) return { confirmed: next, contested: false };
  const newest = waiting ?? confirmed;
  if (isSameTarget(newest, next)) {
    return waiting ? { ...book, waiting: next } : { ...book, confirmed: next };
  }
  const changed = { confirmed, waiting: next, effectiveAt: now + ADDRESS_WAIT_MS };
  return { ...changed, contested: contested || waiting !== undefined };
}

/** The operator's decision: one of the two addresses the node has signed, never a third. */
export function decideAddress(book: AddressBook, choice: "confirmed" | "newest"): AddressBook {
  const { confirmed, waiting, contested } = book;
  if (!contested || !confirmed || !waiting) throw nothingContested();
  return { confirmed: choice === "newest" ? waiting : confirmed, contested: false };
}

/** Why this payee is held because of its address, or undefined when it is not. */
export function findAddressHold(before: AddressBook, now: number): AddressHold | undefined {
  const book = addressBookAt(before, now);
  if (!book.confirmed) return "no_address";
  if (book.contested) return "address_contested";
  return book.waiting ? "address_changing" : undefined;
}

function isSameTarget(a: PayoutAddress, b: PayoutAddress): boolean {
  return a.rail === b.rail && a.address === b.address;
}

const nothingContested = () =>
  new PoolError(
    "precondition",
    "payout.address_not_contested",
    "There is no contested address to decide about; a single change takes effect by itself.",
  );
