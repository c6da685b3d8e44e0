import type { PoolProcess } from "./pool-process.ts";

/** What was paid by hand to one node in one batch. */
export interface HandPayment {
  readonly batch: string;
  readonly node: string;
  readonly micro: bigint;
}

const PAUSE_MS = 100;

/**
 * The operator of a pool that is killed all the time: runs payouts, pays every sealed batch by hand
 * exactly once, and says so until the pool has heard it.
 */
export class HandPayer {
  readonly payments: HandPayment[] = [];
  readonly #pool: PoolProcess;
  readonly #paid = new Set<string>();
  #runs = 0;
  #key = crypto.randomUUID();
  #isStopped = false;
  #working: Promise<void> = Promise.resolve();
  #onSend: (() => void) | undefined;

  constructor(pool: PoolProcess) {
    this.#pool = pool;
  }

  start(): void {
    this.#working = this.#work();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#working;
  }

  /** Answers when the next request has just been sent: a good moment to cut the power. */
  nextRequest(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#onSend = resolve;
    return promise;
  }

  /** Pays what is sealed and has it settled; for when the pool is not killed any more. */
  async finish(): Promise<void> {
    await this.#settleSealed();
  }

  async #work(): Promise<void> {
    while (!this.#isStopped) {
      await this.#step().catch(() => {});
      await Bun.sleep(PAUSE_MS);
    }
  }

  async #step(): Promise<void> {
    await this.#settleSealed();
    const key = { "idempotency-key": this.#key };
    const sent = this.#pool.ask("POST", "/api/v1/payouts/process", {}, key);
    this.#tellSent();
    if ((await sent).status !== 202) return;
    this.#key = `${crypto.randomUUID()}-${this.#runs++}`;
  }

  async #settleSealed(): Promise<void> {
    const { items } = await this.#pool.told("GET", "/api/v1/payouts/batches?state=sealed");
    for (const batch of items) {
      this.#pay(batch);
      const ref = `hand-${batch.batch_id}`;
      const path = `/api/v1/payouts/batches/${batch.batch_id}/settle`;
      const sent = this.#pool.told("POST", path, { ref });
      this.#tellSent();
      await sent;
    }
  }

  /** By its number, a batch is paid once, however often it is seen. */
  #pay(batch: {
    batch_id: string;
    items: readonly { node_id: string; amount_micro_usdt: string }[];
  }): void {
    if (this.#paid.has(batch.batch_id)) return;
    this.#paid.add(batch.batch_id);
    for (const { node_id: node, amount_micro_usdt } of batch.items)
      this.payments.push({ batch: batch.batch_id, node, micro: BigInt(amount_micro_usdt) });
  }

  #tellSent(): void {
    this.#onSend?.();
    this.#onSend = undefined;
  }
}
