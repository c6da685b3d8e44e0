import type { Command } from "commander";
import { formatUsdt } from "@/core/money.ts";
import type { Client, ClientFlags } from "./client.ts";
import { asking } from "./options.ts";
import { print } from "./output.ts";

interface Flags extends ClientFlags {
  readonly from?: string;
  readonly to?: string;
}

interface ExplainView {
  readonly node_id: string;
  readonly pool_id: string;
  readonly owed_micro_usdt: string;
  readonly accruing_micro_usdt: string;
  readonly payable_micro_usdt: string;
  readonly pending_micro_usdt: string;
  readonly paid_micro_usdt: string;
  readonly transfers: readonly {
    readonly at: string;
    readonly code: string;
    readonly amount_micro_usdt: string;
    readonly ref: string;
  }[];
  readonly credits: readonly {
    readonly first_slot: string;
    readonly from: string;
    readonly ticks: number;
    readonly weight_permille: number;
    readonly health_permille: number;
    readonly cu: string;
    readonly booked: boolean;
    readonly claim_hash: string;
  }[];
}

/** `explain NODE`: balance, transfers, credits, slots, claims. */
export function explainCommand(program: Command): void {
  asking(
    program.command("explain <node>").description("why a node is owed exactly this much"),
    explain,
  )
    .option("--from <time>", "RFC 3339 time or date")
    .option("--to <time>", "RFC 3339 time or date");
}

async function explain(client: Client, flags: Flags, [node]: readonly string[]): Promise<void> {
  const query = { node, from: flags.from, to: flags.to };
  const view = await client.json<ExplainView>("GET", "/api/v1/explain", { query });
  if (flags.json) {
    print.json({ ...view });
    return;
  }
  print.facts([
    ["node", view.node_id],
    ["pool", view.pool_id],
    ["owed", `${usdt(view.owed_micro_usdt)} USDT, everything unpaid`],
    ["accruing", usdt(view.accruing_micro_usdt)],
    ["payable", usdt(view.payable_micro_usdt)],
    ["pending", usdt(view.pending_micro_usdt)],
    ["paid", usdt(view.paid_micro_usdt)],
  ]);
  print.line("\nTransfers");
  const transfers = view.transfers.map((one) => [
    one.at,
    one.code,
    usdt(one.amount_micro_usdt),
    one.ref,
  ]);
  print.table(["at", "what", "USDT", "reference"], transfers);
  print.line("\nCredits");
  const credits = view.credits.map((one) => [
    one.from,
    one.ticks,
    one.weight_permille,
    one.health_permille,
    one.cu,
    one.booked ? "booked" : "not yet booked",
    one.claim_hash.slice(0, 16),
  ]);
  print.table(["interval", "slots", "weight ‰", "health ‰", "cu", "ledger", "claim"], credits);
}

function usdt(micro: string): string {
  return formatUsdt(BigInt(micro));
}
