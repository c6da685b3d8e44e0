import type { NodeId } from "@/core/ids.ts";
import { assert } from "@/std/assert.ts";
import { fromBase32, sameBytes, toBase32 } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { decodeAck, encodeAck } from "./ack.ts";
import { BlobReader, BlobWriter } from "./blob-bytes.ts";
import { decodeClaim, encodeClaim } from "./claim.ts";
import type { ClosedNode, CreditRow } from "./closing.ts";
import { malformed } from "./message.ts";
import type { Interval, Slot } from "./slot.ts";
import { SLOT_STATES, type SlotState, type SlotStates } from "./slot-state.ts";

/** What one closed interval of one pool leaves on the disk. */
export interface IntervalBlob {
  readonly interval: Interval;
  readonly slotSeconds: number;
  /** Slots from here to the interval were not looked at. */
  readonly gapFrom: Slot;
  readonly poolKey: Uint8Array;
  readonly nodes: readonly BlobNode[];
}

/** A node in a blob: its slots, and what it was credited. */
export type BlobNode = Pick<ClosedNode, "node" | "slots" | "recovered" | "rows">;

const VERSION = 1;
const ID_BYTES = 17;
/** A day of slots of one second; no interval is longer. */
const INTERVAL_SLOTS_MAX = 86_400;
const U16_MAX = 0xffff;
const U32_MAX = 0xffffffff;
/** How the slots of a node are written. */
const SLOTS = { none: 0, allUp: 1, listed: 2 } as const;

/**
 * Writes the bytes of an interval, node by node. What can be computed is left out: tags, the pool's
 * key, the hash and the node key of each ACK; slots are written as distances, and a node that was
 * always UP as one byte. A node with a claim takes about 300 bytes, one without about 20.
 */
export class IntervalBlobWriter {
  readonly #writer: BlobWriter;
  readonly #head: Omit<IntervalBlob, "nodes">;
  #left: number;

  /** So many nodes will follow. */
  constructor(head: Omit<IntervalBlob, "nodes">, count: number) {
    const { interval, slotSeconds, gapFrom, poolKey } = head;
    assert(gapFrom <= interval.firstSlot, "a gap lies before its interval");
    this.#head = head;
    this.#left = count;
    this.#writer = new BlobWriter()
      .number(VERSION)
      .number(interval.epoch)
      .number(interval.firstSlot)
      .number(interval.slots)
      .number(slotSeconds)
      .number(interval.firstSlot - gapFrom)
      .raw(poolKey)
      .number(count);
  }

  add(node: BlobNode): void {
    this.#left -= 1;
    writeNode(this.#writer, this.#head, node);
  }

  /** The finished blob. */
  done(): Uint8Array {
    assert(this.#left === 0, "a blob holds as many nodes as it says");
    return this.#writer.done();
  }
}

/** The bytes of an interval. */
export function encodeIntervalBlob({ nodes, ...head }: IntervalBlob): Uint8Array {
  const writer = new IntervalBlobWriter(head, nodes.length);
  for (const node of nodes) writer.add(node);
  return writer.done();
}

/** The interval in these bytes; refuses what is none (`poot.malformed`). */
export function decodeIntervalBlob(bytes: Uint8Array): IntervalBlob {
  const reader = new BlobReader(bytes);
  const head = readHead(reader);
  const nodes: BlobNode[] = [];
  for (let left = reader.number(); left > 0; left--) nodes.push(readNode(reader, head));
  reader.end();
  return { ...head, nodes };
}

/** The same with one node alone, if it is there; the others are passed over, which is much faster. */
export function findInIntervalBlob(bytes: Uint8Array, wanted: NodeId): IntervalBlob {
  const reader = new BlobReader(bytes);
  const head = readHead(reader);
  const wantedId = idBytes(wanted);
  for (let left = reader.number(); left > 0; left--) {
    const id = reader.raw(ID_BYTES);
    if (sameBytes(id, wantedId)) return { ...head, nodes: [readNodeRest(reader, head, wanted)] };
    skipNodeRest(reader);
  }
  return { ...head, nodes: [] };
}

function readHead(reader: BlobReader): Head {
  if (reader.number() !== VERSION) throw malformed("interval blob");
  const epoch = reader.number();
  const firstSlot = reader.number();
  const interval = { epoch, firstSlot, slots: reader.number(INTERVAL_SLOTS_MAX) };
  const slotSeconds = reader.number();
  const gapFrom = firstSlot - reader.number();
  return { interval, slotSeconds, gapFrom, poolKey: reader.raw(32) };
}

type Head = Omit<IntervalBlob, "nodes">;

function writeNode(writer: BlobWriter, head: Head, node: BlobNode): void {
  writer.raw(idBytes(node.node));
  writeSlots(writer, head.interval, node.slots);
  writer.number(node.recovered).number(node.rows.length);
  for (const row of node.rows) writeRow(writer, head, row);
}

function readNode(reader: BlobReader, head: Head): BlobNode {
  return readNodeRest(reader, head, toBase32(reader.raw(ID_BYTES)).slice(0, 26) as NodeId);
}

function readNodeRest(reader: BlobReader, head: Head, node: NodeId): BlobNode {
  const slots = readSlots(reader, head.interval);
  const recovered = reader.number();
  const rows: CreditRow[] = [];
  for (let left = reader.number(); left > 0; left--) rows.push(readRow(reader, head));
  return { node, slots, recovered, rows };
}

function skipNodeRest(reader: BlobReader): void {
  if (reader.number() === SLOTS.listed) {
    reader.skipNumbers(1);
    reader.skip(Math.ceil(reader.number() / 4));
  }
  reader.skipNumbers(1);
  for (let left = reader.number(); left > 0; left--) skipRow(reader);
}

/** 26 letters of base32 are 130 bits. */
function idBytes(node: NodeId): Uint8Array {
  const bytes = fromBase32(`${node}aaaaaa`);
  assert(node.length === 26 && bytes, "a node id has 26 letters");
  return bytes.subarray(0, ID_BYTES);
}

function writeSlots(writer: BlobWriter, interval: Interval, slots: SlotStates | undefined): void {
  if (!slots) {
    writer.number(SLOTS.none);
    return;
  }
  if (slots.states.length === interval.slots && slots.states.every((state) => state === "up")) {
    writer.number(SLOTS.allUp);
    return;
  }
  writer
    .number(SLOTS.listed)
    .number(slots.from - interval.firstSlot)
    .number(slots.states.length);
  writer.raw(packStates(slots.states));
}

function readSlots(reader: BlobReader, interval: Interval): SlotStates | undefined {
  const form = reader.number();
  if (form === SLOTS.none) return undefined;
  if (form === SLOTS.allUp) {
    return { from: interval.firstSlot, states: new Array(interval.slots).fill("up") };
  }
  const from = interval.firstSlot + reader.number();
  const count = reader.number(interval.slots);
  if (form !== SLOTS.listed) throw malformed("interval blob");
  return { from, states: unpackStates(reader.raw(Math.ceil(count / 4)), count) };
}

function packStates(states: readonly SlotState[]): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(states.length / 4));
  states.forEach((state, at) => {
    bytes[at >> 2] = (bytes[at >> 2] ?? 0) | (SLOT_STATES.indexOf(state) << ((at & 3) * 2));
  });
  return bytes;
}

function unpackStates(bytes: Uint8Array, count: number): SlotState[] {
  const states: SlotState[] = [];
  for (let at = 0; at < count; at++) {
    states.push(SLOT_STATES[((bytes[at >> 2] ?? 0) >> ((at & 3) * 2)) & 3] ?? "down");
  }
  return states;
}

function writeRow(writer: BlobWriter, head: Head, row: CreditRow): void {
  const claim = decodeClaim(row.claim);
  const ack = decodeAck(row.ack);
  assert(sameBytes(claim.poolKey, head.poolKey), "a blob holds the claims of one pool");
  assert(ack.ticks === claim.ticks && ack.slot === row.toSlot, "an ACK repeats its claim");
  writer
    .number(row.toSlot)
    .number(row.toSlot - row.fromSlot)
    .number(row.ticks)
    .number(row.weightPermille)
    .number(row.healthPermille)
    .raw(claim.session)
    .raw(claim.nodeKey)
    .number(claim.fromSlot)
    .number(claim.toSlot)
    .number(claim.ticks)
    .raw(claim.receiptHash)
    .number(claim.healthPermille)
    .number(claim.flags)
    .raw(claim.prev)
    .raw(claim.signature)
    .number(ack.creditTotal)
    .raw(ack.signature);
}

/** The fields in the order of `writeRow`. */
function skipRow(reader: BlobReader): void {
  reader.skipNumbers(5);
  reader.skip(16 + 32);
  reader.skipNumbers(3);
  reader.skip(32);
  reader.skipNumbers(2);
  reader.skip(32 + 64);
  reader.skipNumbers(1);
  reader.skip(64);
}

function readRow(reader: BlobReader, head: Head): CreditRow {
  const toSlot = reader.number();
  const fromSlot = toSlot - reader.number();
  const ticks = reader.number();
  const weightPermille = reader.number(U16_MAX);
  const healthPermille = reader.number(1000);
  const { session, nodeKey, bytes: claim, ticks: claimed } = readClaim(reader, head);
  const creditTotal = reader.number();
  const ack = encodeAck({
    claimHash: sha256(claim),
    nodeKey,
    ticks: claimed,
    creditTotal,
    slot: toSlot,
    signature: reader.raw(64),
  });
  return { session, fromSlot, toSlot, ticks, weightPermille, healthPermille, claim, ack };
}

function readClaim(reader: BlobReader, { poolKey }: Head) {
  const claim = {
    session: reader.raw(16),
    nodeKey: reader.raw(32),
    poolKey,
    fromSlot: reader.number(),
    toSlot: reader.number(),
    ticks: reader.number(U32_MAX),
    receiptHash: reader.raw(32),
    healthPermille: reader.number(1000),
    flags: reader.number(U16_MAX),
    prev: reader.raw(32),
    signature: reader.raw(64),
  };
  return { ...claim, bytes: encodeClaim(claim) };
}
