import type { Command } from "commander";
import { formatUsdt } from "@/core/money.ts";
import type { Client, ClientFlags } from "./client.ts";
import { asking, collect } from "./options.ts";
import { print } from "./output.ts";

interface ItemView {
  readonly item_id: string;
  readonly node_id: string;
  readonly address: string | null;
  readonly amount_micro_usdt: string;
  readonly state?: string;
  readonly reference?: string | null;
  readonly reason?: string | null;
}

interface BatchView {
  readonly batch_id: string;
  readonly number: number;
  readonly state: string;
  readonly rail: string;
  readonly sealed_at: string | null;
  readonly total_micro_usdt: string;
  readonly items: readonly ItemView[];
  readonly file?: string | null;
  readonly sha256?: string | null;
  readonly reference?: string | null;
}

interface PlanView {
  readonly items: readonly ItemView[];
  readonly held: readonly ItemView[];
  readonly total_micro_usdt: string;
  readonly hash: string;
  readonly expires_at: string;
}

interface Flags extends ClientFlags {
  readonly ref?: string;
  readonly item?: readonly string[];
  readonly failed?: readonly string[];
  readonly notSent?: boolean;
  readonly key?: string;
  readonly state?: string;
}

/** `payout plan|process|list|settle|cancel`. */
export function payoutCommands(program: Command): void {
  const payout = program.command("payout").description("pay the nodes");
  asking(
    payout.command("plan").description("show who would be paid what, and who not and why"),
    plan,
  );
  asking(payout.command("process").description("run the payout engine now"), processNow).option(
    "--key <key>",
    "repeat it to retry without a second run",
  );
  asking(payout.command("list").description("list batches, newest first"), list).option(
    "--state <state>",
    "only batches in this state",
  );
  asking(payout.command("settle <batch>").description("say that a manual batch was paid"), settle)
    .option("--ref <reference>", "the reference of the payment")
    .option("--item <id=reference>", "one item was paid; repeatable", collect, [])
    .option(
      "--failed <id=reason>",
      "one item was not paid and never will be; repeatable",
      collect,
      [],
    )
    .addHelpText("after", "\nExample:\n  galaxy-pool payout settle 1 --ref bank-2026-11-21");
  asking(
    payout.command("cancel <batch>").description("void a manual batch that was not sent"),
    cancel,
  )
    .option("--not-sent", "you are sure that no payment of it was or will be sent")
    .option("--ref <reference>", "why, for the record");
}

async function plan(client: Client, flags: Flags): Promise<void> {
  const planned = await client.json<PlanView>("GET", "/api/v1/payouts/plan");
  if (flags.json) {
    print.json({ ...planned });
    return;
  }
  print.table(["node", "address", "USDT"], planned.items.map(itemRow));
  print.line(
    `total ${usdt(planned.total_micro_usdt)} USDT to ${planned.items.length} node(s), hash ${planned.hash}`,
  );
  if (planned.held.length === 0) return;
  print.line("\nNot paid now:");
  const rows = planned.held.map((item) => [
    item.node_id,
    usdt(item.amount_micro_usdt),
    item.reason,
  ]);
  print.table(["node", "USDT", "why"], rows);
}

async function processNow(client: Client, flags: Flags): Promise<void> {
  const headers = { "idempotency-key": flags.key ?? crypto.randomUUID() };
  const answer = await client.json("POST", "/api/v1/payouts/process", { body: {}, headers });
  if (flags.json) {
    print.json(answer);
    return;
  }
  const { batch_id, payouts, total_micro_usdt } = answer;
  if (batch_id === null)
    print.line("Nothing is due, or a batch is still open: galaxy-pool payout list");
  else
    print.line(`Batch ${batch_id}: ${payouts} payout(s), ${usdt(String(total_micro_usdt))} USDT.`);
}

async function list(client: Client, flags: Flags): Promise<void> {
  const query = { state: flags.state };
  const batches = await Array.fromAsync(client.items<BatchView>("/api/v1/payouts/batches", query));
  if (flags.json) {
    print.json({ items: batches });
    return;
  }
  for (const batch of batches) {
    const total = usdt(batch.total_micro_usdt);
    print.line(
      `batch ${batch.batch_id}  ${batch.state}  ${batch.rail}  ${total} USDT  ${batch.sealed_at ?? ""}`,
    );
    if (batch.file) print.line(`  file ${batch.file}  sha256 ${batch.sha256}`);
    print.table(
      ["  item", "node", "address", "USDT", "state", "reference"],
      batch.items.map(batchRow),
    );
  }
  if (batches.length === 0) print.line("No batch yet.");
}

async function settle(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  const items = [
    ...(flags.item ?? []).map((pair) => ({ id: pairOf(pair)[0], ref: pairOf(pair)[1] })),
    ...(flags.failed ?? []).map((pair) => ({
      id: pairOf(pair)[0],
      failed: pairOf(pair)[1] || "failed",
    })),
  ];
  const body = items.length > 0 ? { items } : { ref: flags.ref ?? "" };
  await change(
    client,
    flags,
    `/api/v1/payouts/batches/${encodeURIComponent(id ?? "")}/settle`,
    body,
  );
}

async function cancel(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  const body = { not_sent: flags.notSent === true, ...(flags.ref ? { ref: flags.ref } : {}) };
  await change(
    client,
    flags,
    `/api/v1/payouts/batches/${encodeURIComponent(id ?? "")}/cancel`,
    body,
  );
}

async function change(client: Client, flags: Flags, path: string, body: unknown): Promise<void> {
  const batch = await client.json<BatchView>("POST", path, { body });
  if (flags.json) {
    print.json({ ...batch });
    return;
  }
  print.line(`Batch ${batch.batch_id} is ${batch.state}: ${usdt(batch.total_micro_usdt)} USDT.`);
  print.table(
    ["  item", "node", "address", "USDT", "state", "reference"],
    batch.items.map(batchRow),
  );
}

function pairOf(pair: string): readonly [string, string] {
  const at = pair.indexOf("=");
  return at < 0 ? [pair, ""] : [pair.slice(0, at), pair.slice(at + 1)];
}

function itemRow(item: ItemView) {
  return [item.node_id, item.address, usdt(item.amount_micro_usdt)];
}

function batchRow(item: ItemView) {
  const amount = usdt(item.amount_micro_usdt);
  return [`  ${item.item_id}`, item.node_id, item.address, amount, item.state, item.reference];
}

function usdt(micro: string): string {
  return formatUsdt(BigInt(micro));
}
