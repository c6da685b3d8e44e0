import { requireAddress } from "@/core/payout/address.ts";
import { type BatchFiles, batchFiles, batchName } from "@/core/payout/batch.ts";
import { defineModule } from "@/kernel/module.ts";
import type { Files } from "@/ports/files.ts";
import type { Rail, RailBatch } from "@/ports/rail.ts";
import { sameBytes } from "@/std/bytes.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    rail: Rail;
  }
}

const FOLDER = "payouts";

/** The rail of a person: it writes what is to be paid, and is told how it went. */
export function createManualRail(files: Files): Rail {
  const fileOf = ({ number }: RailBatch) => `${FOLDER}/${batchName(number)}`;
  return {
    id: "manual",
    asset: "USDT",
    problemWith: problemWithAddress,
    feeEstimateMicroUsdt: () => 0n,
    seal(batch) {
      const { json, hash } = batchFiles(batch);
      return { batch, bytes: json, hash };
    },
    async push({ batch }) {
      const path = fileOf(batch);
      for (const [ending, content] of contentsOf(batchFiles(batch))) {
        const known = files.read(`${path}.${ending}`);
        if (!known || !sameBytes(known, content)) files.write(`${path}.${ending}`, content);
      }
    },
    settle: async () => ({ type: "wait" }),
    fileOf: (batch) => `${fileOf(batch)}.json`,
  };
}

/** The sums come last: while they are missing, the batch is not all there. */
function contentsOf({ json, csv, sums }: BatchFiles): readonly (readonly [string, Uint8Array])[] {
  return [
    ["json", json],
    ["csv", csv],
    ["sha256", sums],
  ];
}

function problemWithAddress(address: string): string | undefined {
  try {
    requireAddress(address);
    return undefined;
  } catch (error) {
    if (isRefusal(error)) return error.message;
    throw error;
  }
}

function otherRail(rail: string): PoolError {
  return new PoolError(
    "invalid",
    "config.unsupported",
    `payout.rail is ${rail}, but this build pays over manual only; set it to manual.`,
  );
}

/** Provides `rail`: payments by hand, from files in the data folder. */
export const manualRail = defineModule({
  name: "manual",
  needs: ["files"],
  provides: "rail",
  check(_, value) {
    if (value("payout.rail") !== "manual") throw otherRail(String(value("payout.rail")));
  },
  start: ({ files }) => createManualRail(files),
});
