import type { ManualBatch } from "@/core/payout/batch.ts";
import type { SettleAnswer } from "@/core/payout/machine.ts";

/** What a rail pays: a numbered list of payments, with everything a person has to see. */
export type RailBatch = ManualBatch;

/** A batch whose bytes are fixed. They are stored before anything is pushed. */
export interface Sealed {
  readonly batch: RailBatch;
  /** What the rail sends. */
  readonly bytes: Uint8Array;
  /** Its identity on the rail, hexadecimal. */
  readonly hash: string;
}

/** A way of moving money (money.md, section 2.1). */
export interface Rail {
  readonly id: string;
  /** What it pays with: `USDT`, or `code:issuer` where the issuer matters. */
  readonly asset: string;
  /** Undefined when the address is good, else what is wrong with it. Asks nobody. */
  problemWith(address: string): string | undefined;
  /** The micro-USDT one payment costs, for the fee rule. */
  feeEstimateMicroUsdt(): bigint;
  /** Fixes the bytes of a batch; pure: the same batch gives the same bytes. */
  seal(batch: RailBatch): Sealed;
  /** Sends; repeatable any number of times. That it returns is only a hint. */
  push(sealed: Sealed): Promise<void>;
  /** What is known of a sealed batch; everything without proof is `wait`. */
  settle(sealed: Sealed): Promise<SettleAnswer>;
  /** Where a person finds what was pushed, under the data folder; undefined where there is nothing. */
  fileOf(batch: RailBatch): string | undefined;
}
