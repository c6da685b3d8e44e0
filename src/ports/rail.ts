/** What is to be paid to whom. */
export interface RailItem {
  readonly id: string;
  readonly node: string;
  readonly address: string;
  readonly amountMicroUsdt: bigint;
}

/** A sealed batch: its bytes are fixed and stored before anything is pushed. */
export interface Sealed {
  readonly number: number;
  readonly items: readonly RailItem[];
  /** What the rail sends: for `manual` the batch document. */
  readonly bytes: Uint8Array;
  readonly hash: string;
}

/** What became of a sealed batch. Only `done`, `failed` and `never` come with proof. */
export type Settlement =
  | { readonly type: "done"; readonly proof: string }
  | {
      readonly type: "items";
      readonly paid: ReadonlyMap<string, string>;
      readonly failed: ReadonlyMap<string, string>;
    }
  | { readonly type: "never"; readonly proof: string }
  | { readonly type: "wait" };

/** A way of moving money (money.md, section 2.1). */
export interface Rail {
  readonly id: string;
  /** Undefined when the address is good, else what is wrong with it. */
  problemWith(address: string): string | undefined;
  /** The micro-USDT one payment costs, for the fee rule. */
  feeEstimateMicroUsdt(): bigint;
  /** Pure: fixes the bytes of a batch. */
  seal(pool: string, number: number, atMs: number, items: readonly RailItem[]): Sealed;
  /** Sends; repeatable any number of times; its answer is only a hint. */
  push(sealed: Sealed): Promise<void>;
  settle(sealed: Sealed): Promise<Settlement>;
}
