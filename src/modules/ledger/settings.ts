import { parseUsdt } from "@/core/money.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import type { TariffTerms } from "./parts.ts";

/** The part `tariff` of the configuration section `poot`, as its schema checks it. */
export interface TariffConfig {
  readonly usdt_per_hour: string | number;
  readonly weights: Readonly<Record<string, number>>;
  readonly daily_budget_usdt: string | number;
}

/** The terms of a section; refuses amounts that are not exact to a millionth (`config.invalid`). */
export function tariffTermsOf({
  usdt_per_hour,
  weights,
  daily_budget_usdt,
}: TariffConfig): TariffTerms {
  return {
    microPerHour: readAmount("poot.tariff.usdt_per_hour", usdt_per_hour),
    weights,
    dailyBudgetMicro:
      daily_budget_usdt === "off"
        ? undefined
        : readAmount("poot.tariff.daily_budget_usdt", daily_budget_usdt),
  };
}

function readAmount(key: string, value: string | number): bigint {
  try {
    return parseUsdt(String(value));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw new PoolError("invalid", "config.invalid", `${key}: ${error.message}`);
  }
}
