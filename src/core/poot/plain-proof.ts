import { fromBase64, toBase64 } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";
import type { Proof, ProofInterval } from "./proof.ts";

/** What a proof file says it is. */
export const PROOF_FORMAT = "galaxy-pool proof of operational time";

/** A proof as a file holds it: bytes as base64, everything else as it is. */
export interface PlainProof {
  readonly format: string;
  readonly version: number;
  readonly pool_key: string;
  readonly node_key: string;
  readonly slot_seconds: number;
  readonly slots_per_interval: number;
  readonly open: string;
  readonly claim: string;
  readonly ack: string;
  readonly credit_total: number;
  readonly is_complete: boolean;
  readonly intervals: readonly PlainInterval[];
}

interface PlainInterval extends Omit<ProofInterval, "firstSlot"> {
  readonly first_slot: number;
}

const VERSION = 1;

/** The proof for a file. */
export function toPlainProof(proof: Proof): PlainProof {
  return {
    format: PROOF_FORMAT,
    version: VERSION,
    pool_key: toBase64(proof.poolKey),
    node_key: toBase64(proof.nodeKey),
    slot_seconds: proof.slotSeconds,
    slots_per_interval: proof.slotsPerInterval,
    open: toBase64(proof.open),
    claim: toBase64(proof.claim),
    ack: toBase64(proof.ack),
    credit_total: proof.creditTotal,
    is_complete: proof.isComplete,
    intervals: proof.intervals.map(({ firstSlot, ...row }) => ({ ...row, first_slot: firstSlot })),
  };
}

/** The proof in what was read from a file; refuses anything else (`poot.not_a_proof`). */
export function fromPlainProof(plain: unknown): Proof {
  const fields = fieldsOf(plain);
  if (fields["format"] !== PROOF_FORMAT) throw notAProof("its format is another one");
  if (fields["version"] !== VERSION) throw notAProof("its version is unknown; use a newer program");
  const { is_complete: isComplete, intervals } = fields;
  if (typeof isComplete !== "boolean") throw notAProof("is_complete is not true or false");
  if (!Array.isArray(intervals)) throw notAProof("intervals is not a list");
  return {
    poolKey: bytesIn(fields, "pool_key"),
    nodeKey: bytesIn(fields, "node_key"),
    slotSeconds: countIn(fields, "slot_seconds"),
    slotsPerInterval: countIn(fields, "slots_per_interval"),
    open: bytesIn(fields, "open"),
    claim: bytesIn(fields, "claim"),
    ack: bytesIn(fields, "ack"),
    creditTotal: countIn(fields, "credit_total"),
    isComplete,
    intervals: intervals.map(intervalOf),
  };
}

function intervalOf(plain: unknown): ProofInterval {
  const fields = fieldsOf(plain);
  return {
    epoch: countIn(fields, "epoch"),
    firstSlot: countIn(fields, "first_slot"),
    up: countIn(fields, "up"),
    down: countIn(fields, "down"),
    unobserved: countIn(fields, "unobserved"),
    planned: countIn(fields, "planned"),
    ticks: countIn(fields, "ticks"),
    recovered: countIn(fields, "recovered"),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function fieldsOf(plain: unknown): Fields {
  if (typeof plain === "object" && plain !== null && !Array.isArray(plain)) return plain as Fields;
  throw notAProof("an object is missing");
}

function bytesIn(fields: Fields, name: string): Uint8Array {
  const text = fields[name];
  const bytes = typeof text === "string" ? fromBase64(text) : undefined;
  if (!bytes) throw notAProof(`${name} is not base64`);
  return bytes;
}

function countIn(fields: Fields, name: string): number {
  const value = fields[name];
  if (Number.isSafeInteger(value) && Number(value) >= 0) return Number(value);
  throw notAProof(`${name} is not a whole number from zero on`);
}

function notAProof(why: string): PoolError {
  return new PoolError(
    "invalid",
    "poot.not_a_proof",
    `This file is not a proof of operational time: ${why}.`,
  );
}
