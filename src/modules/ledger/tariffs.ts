import { systemCaller } from "@/core/caller.ts";
import type { FeeTariff } from "@/core/earning.ts";
import { type LedgerSlot, ledgerSlotOf } from "@/core/ledger/ledger-slot.ts";
import { formatUsdt } from "@/core/money.ts";
import { intervalFirstSlot } from "@/core/poot/slot.ts";
import { appendTariff, tariffAt, weightOf } from "@/core/tariff.ts";
import type { Write } from "@/ports/database.ts";
import { canonicalJson } from "@/std/canonical-json.ts";
import type { BookingTerms, LedgerParts, TariffTerms } from "./parts.ts";
import type { TariffRow } from "./table.ts";

/** Every tariff there ever was, and the one that is configured now. */
export class Tariffs {
  readonly #parts: LedgerParts;
  #tariffs: readonly FeeTariff[] = [];
  #terms: TariffTerms;
  #booking: BookingTerms = { feePermille: 0, maturitySeconds: 0 };

  constructor(parts: LedgerParts, terms: TariffTerms) {
    this.#parts = parts;
    this.#terms = terms;
  }

  /** Reads what the disk knows. */
  async load(): Promise<void> {
    const query = this.#parts.database.sql.selectFrom("tariff").selectAll().orderBy("from_slot");
    this.#tariffs = (await query.execute()).map(tariffOf);
  }

  /** All of them, by slot; the first also covers what was before. */
  get all(): readonly FeeTariff[] {
    return this.#tariffs;
  }

  /** The daily budget, without which credits become money at once. */
  get dailyBudgetMicro(): bigint | undefined {
    return this.#terms.dailyBudgetMicro;
  }

  get maturitySeconds(): number {
    return this.#booking.maturitySeconds;
  }

  /** What the configuration asks for from now on; `settle` makes it so. */
  configure(terms: TariffTerms): void {
    this.#terms = terms;
  }

  /** What the payouts ask for from now on. */
  bookBy(booking: BookingTerms): void {
    this.#booking = booking;
  }

  /** The tariff of a slot. */
  at(slot: LedgerSlot): FeeTariff {
    return tariffAt(this.#tariffs, slot);
  }

  /** What a specialization weighs in a slot. */
  weightOf(specialization: string, slot: LedgerSlot): number {
    return weightOf(this.at(slot), specialization);
  }

  /** Opens a new period at the next interval when something else is configured than holds. */
  async settle(): Promise<void> {
    const last = this.#tariffs.at(-1);
    if (last && isSame(last, this.#wanted(last.fromSlot))) return;
    const { trusted, epoch, slot, slotsPerInterval } = this.#parts.poot.poolTime();
    if (last && !trusted) return;
    const next = intervalFirstSlot(slot, slotsPerInterval) + slotsPerInterval;
    const after = last && last.fromSlot >= ledgerSlotOf(epoch, next);
    const from = after ? last.fromSlot + slotsPerInterval : ledgerSlotOf(epoch, next);
    const wanted = this.#wanted(last ? from : 0);
    appendTariff(this.#tariffs, wanted, { firstOpenSlot: 0, slotsPerInterval: 1 });
    await this.#parts.database.commit(this.#insert(wanted));
    this.#tariffs = [...this.#tariffs, wanted];
    this.#parts.log.info(
      { fromSlot: wanted.fromSlot, microPerHour: `${wanted.microPerHour}` },
      "a tariff period begins",
    );
  }

  #wanted(fromSlot: LedgerSlot): FeeTariff {
    const { microPerHour, weights } = this.#terms;
    return { fromSlot, microPerHour, weights, feePermille: this.#booking.feePermille };
  }

  #insert(tariff: FeeTariff): Write[] {
    const { database, audit, clock } = this.#parts;
    const row = tariffRow(tariff, clock.now());
    const insert = database.sql.insertInto("tariff").values(row).compile();
    return [
      { query: insert, rows: 1 },
      audit.row(systemCaller("ledger"), "tariff.began", `${tariff.fromSlot}`, {
        usdt_per_hour: formatUsdt(tariff.microPerHour),
        fee_permille: tariff.feePermille,
        weights: row.weights,
      }),
    ];
  }
}

function isSame(a: FeeTariff, b: FeeTariff): boolean {
  return (
    a.microPerHour === b.microPerHour &&
    a.feePermille === b.feePermille &&
    canonicalJson(a.weights) === canonicalJson(b.weights)
  );
}

function tariffRow(tariff: FeeTariff, nowMs: number): TariffRow {
  return {
    from_slot: BigInt(tariff.fromSlot),
    micro_per_hour: tariff.microPerHour,
    fee_permille: BigInt(tariff.feePermille),
    weights: canonicalJson(tariff.weights),
    at: BigInt(nowMs),
  };
}

function tariffOf(row: TariffRow): FeeTariff {
  return {
    fromSlot: Number(row.from_slot),
    microPerHour: row.micro_per_hour,
    feePermille: Number(row.fee_permille),
    weights: JSON.parse(row.weights),
  };
}
