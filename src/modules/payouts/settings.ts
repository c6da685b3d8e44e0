import { parseUsdt } from "@/core/money.ts";
import { parseApproval } from "@/core/payout/plan.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import type { PayoutSettings } from "./parts.ts";

/** The configuration section `payout`, as its schema checks it. */
export interface PayoutConfig {
  readonly threshold_usdt: string | number;
  readonly interval_seconds: number;
  readonly approval: string;
  readonly batch_payments_max: number;
}

/** The settings of a section; refuses what this build cannot do (`config.unsupported`). */
export function settingsOf(config: PayoutConfig): PayoutSettings {
  if (parseApproval(config.approval).type !== "none") {
    throw new PoolError(
      "invalid",
      "config.unsupported",
      `payout.approval is ${config.approval}, but this build has one operator and no second person to ask; set it to none.`,
    );
  }
  return {
    thresholdMicro: readThreshold(config.threshold_usdt),
    intervalMs: config.interval_seconds * 1000,
    itemsMax: config.batch_payments_max,
  };
}

function readThreshold(value: string | number): bigint {
  try {
    return parseUsdt(String(value));
  } catch (error) {
    if (!isRefusal(error)) throw error;
    throw new PoolError("invalid", "config.invalid", `payout.threshold_usdt: ${error.message}`);
  }
}
