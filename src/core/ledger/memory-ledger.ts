import { type Account, type AccountId, openAccount } from "./account.ts";
import { applyTransfers, type Booking, type LedgerView } from "./ledger.ts";
import type { Transfer } from "./transfer.ts";

/** The ledger as a value in memory: what tables are compared with, and what a log is replayed into. */
export class MemoryLedger implements LedgerView {
  readonly #accounts = new Map<AccountId, Account>();
  readonly #transfers = new Map<string, Transfer>();
  readonly #resolutions = new Map<string, Transfer>();

  /** All accounts, in the order they were opened. */
  get accounts(): readonly Account[] {
    return [...this.#accounts.values()];
  }

  /** All transfers, in the order they were booked. */
  get transfers(): readonly Transfer[] {
    return [...this.#transfers.values()];
  }

  findAccount(id: AccountId): Account | undefined {
    return this.#accounts.get(id);
  }

  findTransfer(id: string): Transfer | undefined {
    return this.#transfers.get(id);
  }

  findResolution(pendingId: string): Transfer | undefined {
    return this.#resolutions.get(pendingId);
  }

  /** The account of the chart, or a new and empty one. */
  getAccount(id: AccountId): Account {
    return this.#accounts.get(id) ?? openAccount(id);
  }

  /** Opens what is not open yet. */
  open(...ids: readonly AccountId[]): this {
    for (const id of ids) if (!this.#accounts.has(id)) this.#accounts.set(id, openAccount(id));
    return this;
  }

  /** Books a linked list of transfers: all, or none and a refusal. */
  book(transfers: readonly Transfer[]): Booking {
    const booking = applyTransfers(this, transfers);
    for (const account of booking.accounts) this.#accounts.set(account.id, account);
    for (const transfer of booking.transfers) this.#remember(transfer);
    return booking;
  }

  #remember(transfer: Transfer): void {
    this.#transfers.set(transfer.id, transfer);
    if (transfer.pendingId !== undefined) this.#resolutions.set(transfer.pendingId, transfer);
  }
}
