import { toHex, utf8 } from "@/std/bytes.ts";
import { type CanonicalValue, canonicalBytes } from "@/std/canonical-json.ts";
import { sha256 } from "@/std/crypto.ts";
import type { NodeId, PoolId } from "../ids.ts";
import { formatUsdt } from "../money.ts";

/** One payment that the operator makes by hand. */
export interface BatchItem {
  readonly id: number;
  readonly node: NodeId;
  readonly name: string;
  readonly address: string;
  readonly amount: bigint;
}

/** A sealed batch of the manual rail: what a person pays, line by line. */
export interface ManualBatch {
  readonly id: string;
  readonly number: number;
  readonly pool: PoolId;
  readonly asset: string;
  readonly sealedAt: number;
  readonly planHash: string;
  readonly items: readonly BatchItem[];
}

/** The files of a batch. The batch's hash is that of the JSON file; the table names it in each row. */
export interface BatchFiles {
  readonly hash: string;
  readonly json: Uint8Array;
  readonly csv: Uint8Array;
  /** In the format of `sha256sum --check`. */
  readonly sums: Uint8Array;
}

/** The names of a batch's files, without their endings: the number, padded. */
export function batchName(number: number): string {
  return `batch-${String(number).padStart(6, "0")}`;
}

/** The files of a batch; the same batch gives the same bytes, always. */
export function batchFiles(batch: ManualBatch): BatchFiles {
  const json = canonicalBytes(batchValue(batch));
  const hash = toHex(sha256(json));
  const csv = utf8(batchTable(batch, hash));
  const name = batchName(batch.number);
  const sums = utf8(`${hash}  ${name}.json\n${toHex(sha256(csv))}  ${name}.csv\n`);
  return { hash, json, csv, sums };
}

/** What all payments of a batch sum to. */
export function batchTotal(batch: ManualBatch): bigint {
  return batch.items.reduce((sum, { amount }) => sum + amount, 0n);
}

function batchValue(batch: ManualBatch): CanonicalValue {
  return {
    format: "galaxy-pool batch 1",
    batch: batch.id,
    number: batch.number,
    pool: batch.pool,
    rail: "manual",
    asset: batch.asset,
    sealed_at: batch.sealedAt,
    plan_sha256: batch.planHash,
    total_micro_usdt: `${batchTotal(batch)}`,
    items: batch.items.map(({ id, node, name, address, amount }) => ({
      id,
      node,
      name,
      address,
      amount_micro_usdt: `${amount}`,
    })),
  };
}

const COLUMNS = [
  "batch",
  "item",
  "node",
  "name",
  "address",
  "amount_usdt",
  "amount_micro_usdt",
  "asset",
  "batch_sha256",
];

function batchTable(batch: ManualBatch, hash: string): string {
  const rows = batch.items.map(({ id, node, name, address, amount }) => [
    batch.id,
    `${id}`,
    node,
    name,
    address,
    formatUsdt(amount),
    `${amount}`,
    batch.asset,
    hash,
  ]);
  return [COLUMNS, ...rows].map((row) => `${row.map(csvField).join(",")}\r\n`).join("");
}

/**
 * A field of a table (RFC 4180) that no spreadsheet takes for a formula: what begins like one gets
 * an apostrophe in front, unless it is a negative number. The JSON file has the text as it is.
 */
export function csvField(text: string): string {
  const isNumber = /^-\d+(\.\d+)?$/.test(text);
  const isFormula = !isNumber && /^\s*[=+\-@＝＋－＠]|^[\t\r\n]/.test(text);
  const safe = isFormula ? `'${text}` : text;
  return /[",\r\n'\t]|^\s|\s$/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
