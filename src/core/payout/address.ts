import { concat, sameBytes, toHex, utf8 } from "@/std/bytes.ts";
import { Reader, Writer } from "@/std/codec.ts";
import { type SigningKey, sha256, verifySignature } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";

/** The longest address, in letters. */
export const ADDRESS_MAX = 256;
/** What the first statement of a node names as the one before it. */
export const NO_STATEMENT: Uint8Array = new Uint8Array(32);

const TAG = utf8("GPADR1\0\0");
const FIXED_LENGTH = TAG.length + 32 + 32 + 2 + 2 + 32 + 8;
const SIGNATURE_LENGTH = 64;
const RAIL_PATTERN = /^[a-z][a-z0-9_-]{0,31}$/;

/**
 * Where a node wants to be paid, said by the node itself. Each statement names the one before it
 * and a higher slot, so that an old one cannot be shown again.
 */
export interface AddressStatement {
  readonly nodeKey: Uint8Array;
  readonly poolKey: Uint8Array;
  readonly rail: string;
  readonly address: string;
  readonly previous: Uint8Array;
  readonly slot: number;
}

/** What the pool knows before it reads a statement: who speaks to whom, and the last one it took. */
export interface StatementTerms {
  readonly nodeKey: Uint8Array;
  readonly poolKey: Uint8Array;
  readonly previous: Uint8Array;
  /** The slot of the previous statement, or -1. */
  readonly previousSlot: number;
}

/** The statement as bytes, signed by the node (money.md, section 5). */
export function signAddress(statement: AddressStatement, key: SigningKey): Uint8Array {
  const bytes = encodeAddress(statement);
  return concat(bytes, key.sign(bytes));
}

/** The bytes that are signed: `GPADR1`, both keys, rail, address, previous hash, slot. */
export function encodeAddress(statement: AddressStatement): Uint8Array {
  requireRail(statement.rail);
  requireAddress(statement.address);
  const length = FIXED_LENGTH + statement.rail.length + statement.address.length;
  return new Writer(length)
    .raw(TAG)
    .raw(statement.nodeKey)
    .raw(statement.poolKey)
    .u16(statement.rail.length)
    .ascii(statement.rail)
    .u16(statement.address.length)
    .ascii(statement.address)
    .raw(statement.previous)
    .u64(statement.slot)
    .done();
}

/** Reads a signed statement; refuses what is malformed. Whether it holds is `verifyAddress`'s part. */
export function decodeAddress(bytes: Uint8Array): AddressStatement {
  if (bytes.length < FIXED_LENGTH + SIGNATURE_LENGTH) throw statementMalformed();
  const reader = new Reader(bytes);
  if (!sameBytes(reader.raw(TAG.length), TAG)) throw statementMalformed();
  const nodeKey = reader.raw(32);
  const poolKey = reader.raw(32);
  const rail = readText(reader);
  const address = readText(reader);
  if (reader.left !== 32 + 8 + SIGNATURE_LENGTH) throw statementMalformed();
  requireRail(rail);
  requireAddress(address);
  return { nodeKey, poolKey, rail, address, previous: reader.raw(32), slot: reader.u64() };
}

/** The statement in these bytes, when the right node said it to this pool after the one we know. */
export function verifyAddress(bytes: Uint8Array, terms: StatementTerms): AddressStatement {
  const statement = decodeAddress(bytes);
  if (!sameBytes(statement.nodeKey, terms.nodeKey)) throw statementForeign("node");
  if (!sameBytes(statement.poolKey, terms.poolKey)) throw statementForeign("pool");
  const signed = bytes.subarray(0, -SIGNATURE_LENGTH);
  if (!verifySignature(terms.nodeKey, signed, bytes.subarray(-SIGNATURE_LENGTH))) {
    throw statementUnsigned();
  }
  if (!sameBytes(statement.previous, terms.previous)) throw statementOutOfOrder(terms.previous);
  if (statement.slot <= terms.previousSlot) throw statementOutOfOrder(terms.previous);
  return statement;
}

/** The name of a statement in the chain: SHA-256 over all its bytes, with the signature. */
export function addressHash(bytes: Uint8Array): Uint8Array {
  return sha256(bytes);
}

/** Refuses an address that is empty, too long, or not printable ASCII without spaces around it. */
export function requireAddress(address: string): void {
  if (/^[!-~](?:[ -~]*[!-~])?$/.test(address) && address.length <= ADDRESS_MAX) return;
  throw new PoolError(
    "invalid",
    "payout.address_malformed",
    `An address is 1 to ${ADDRESS_MAX} printable ASCII letters without spaces around them.`,
  );
}

function requireRail(rail: string): void {
  if (RAIL_PATTERN.test(rail)) return;
  throw new PoolError("invalid", "payout.rail_malformed", "A rail is a lower-case name.");
}

/** A text with its length before it; more than what is left is malformed. */
function readText(reader: Reader): string {
  if (reader.left < 2) throw statementMalformed();
  const length = reader.u16();
  if (length > reader.left) throw statementMalformed();
  return new TextDecoder("latin1").decode(reader.raw(length));
}

const statementMalformed = () =>
  new PoolError(
    "invalid",
    "payout.statement_malformed",
    "These bytes are not an address statement (GPADR1).",
  );

const statementForeign = (whose: "node" | "pool") =>
  new PoolError(
    "denied",
    "payout.statement_foreign",
    `The address statement names the key of another ${whose}.`,
  );

const statementUnsigned = () =>
  new PoolError(
    "unauthenticated",
    "payout.statement_unsigned",
    "The signature of the address statement does not hold; only the node itself may sign it.",
  );

const statementOutOfOrder = (previous: Uint8Array) =>
  new PoolError(
    "conflict",
    "payout.statement_out_of_order",
    "The address statement does not follow the last one; read that one, then sign a new one.",
    { previous: toHex(previous) },
  );
