import { PoolError } from "@/std/errors.ts";

/** One USDT in millionths. All money is a bigint of these; it leaves the program as a decimal string. */
export const MICRO_PER_USDT = 1_000_000n;

/** Millionths as a decimal number of USDT with six places: 10000000n is "10.000000". */
export function formatUsdt(micro: bigint): string {
  const sign = micro < 0n ? "-" : "";
  const size = micro < 0n ? -micro : micro;
  return `${sign}${size / MICRO_PER_USDT}.${String(size % MICRO_PER_USDT).padStart(6, "0")}`;
}

/** A decimal number of USDT in millionths; refuses more than six places, signs and exponents (`money.malformed`). */
export function parseUsdt(text: string): bigint {
  const match = /^(\d{1,12})(?:\.(\d{1,6}))?$/.exec(text.trim());
  if (!match) {
    throw new PoolError(
      "invalid",
      "money.malformed",
      `"${text.slice(0, 40)}" is not an amount of USDT; write digits with at most six decimals, like 10.5.`,
    );
  }
  return BigInt(match[1] ?? "0") * MICRO_PER_USDT + BigInt((match[2] ?? "").padEnd(6, "0"));
}
