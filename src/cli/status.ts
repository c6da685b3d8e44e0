import type { Command } from "commander";
import { formatUsdt } from "@/core/money.ts";
import type { Client, ClientFlags } from "./client.ts";
import { asking, type Outcome } from "./options.ts";
import { print } from "./output.ts";
import { EXIT } from "./refusals.ts";

interface StatusView {
  readonly version: string;
  readonly status: string;
  readonly up_seconds: number;
  readonly pool_time: string;
  readonly pools: readonly {
    readonly pool_id: string;
    readonly name: string;
    readonly kind: string;
    readonly nodes: Readonly<Record<string, number>>;
    readonly slots_today: Readonly<Record<string, number>>;
  }[];
  readonly money: {
    readonly credited_today_micro_usdt: string;
    readonly owed_micro_usdt: string;
    readonly payable_micro_usdt: string;
    readonly pending_micro_usdt: string;
    readonly paid_micro_usdt: string;
    readonly next_payout_at: string | null;
    readonly open_batch: { readonly batch_id: string; readonly sealed_at: string } | null;
  };
  readonly host: {
    readonly written_bytes_per_day: number | null;
    readonly temperature_celsius: number | null;
    readonly disk_free_bytes: number | null;
  };
  readonly suspended: readonly {
    readonly node_id: string;
    readonly name: string;
    readonly reason: string | null;
    readonly since: string;
    readonly remove_at: string | null;
  }[];
  readonly warnings: readonly string[];
}

/** `status`: everything an operator wants to see, on one screen. */
export function statusCommand(program: Command, outcome: Outcome): void {
  asking(
    program.command("status").description("show the pool on one screen"),
    async (client, flags) => {
      outcome.code = await status(client, flags);
    },
  );
}

async function status(client: Client, flags: ClientFlags): Promise<number> {
  const view = await client.json<StatusView>("GET", "/api/v1/status");
  const code = view.status === "healthy" ? EXIT.done : EXIT.unreachable;
  if (flags.json) {
    print.json({ ...view });
    return code;
  }
  print.line(
    `galaxy-pool ${view.version}: ${view.status}, up ${duration(view.up_seconds)}, pool time ${view.pool_time}`,
  );
  print.line("");
  print.table(
    ["pool", "kind", ...STATES, "slots today up/down/unobserved/planned"],
    view.pools.map(poolRow),
  );
  print.line("");
  print.facts(moneyFacts(view));
  for (const one of view.suspended) print.line(suspendedLine(one));
  for (const warning of view.warnings) print.line(`! ${warning}`);
  return code;
}

const STATES = ["alive", "late", "lost", "new", "pending", "suspended"];

function poolRow({ name, pool_id, kind, nodes, slots_today }: StatusView["pools"][number]) {
  const slots = ["up", "down", "unobserved", "planned"].map((state) => slots_today[state] ?? 0);
  const states = STATES.map((state) => nodes[state] ?? 0);
  return [`${name} (${pool_id})`, kind, ...states, slots.join("/")];
}

function moneyFacts({ money, host }: StatusView): (readonly [string, string])[] {
  const written = host.written_bytes_per_day;
  return [
    ["credits today", `${usdt(money.credited_today_micro_usdt)} USDT`],
    [
      "owed",
      `${usdt(money.owed_micro_usdt)} USDT (payable ${usdt(money.payable_micro_usdt)}, pending ${usdt(money.pending_micro_usdt)})`,
    ],
    ["paid", `${usdt(money.paid_micro_usdt)} USDT`],
    ["next payout run", money.next_payout_at ?? "–"],
    [
      "open batch",
      money.open_batch
        ? `${money.open_batch.batch_id}, since ${money.open_batch.sealed_at}`
        : "none",
    ],
    ["disk writes", written === null ? "–" : `${(written / 1e6).toFixed(1)} MB a day`],
    [
      "temperature",
      host.temperature_celsius === null ? "–" : `${host.temperature_celsius.toFixed(1)} °C`,
    ],
  ];
}

function suspendedLine({
  node_id,
  name,
  reason,
  since,
  remove_at,
}: StatusView["suspended"][number]) {
  const end = remove_at === null ? "is never removed" : `is removed on ${remove_at}`;
  const why = reason === null ? "" : ` (${reason})`;
  return `suspended: ${name} (${node_id}) since ${since}${why}; it ${end}`;
}

function usdt(micro: string): string {
  return formatUsdt(BigInt(micro));
}

function duration(seconds: number): string {
  const parts = [
    Math.floor(seconds / 86_400),
    Math.floor(seconds / 3600) % 24,
    Math.floor(seconds / 60) % 60,
  ];
  const [days = 0, hours = 0, minutes = 0] = parts;
  return days > 0 ? `${days}d ${hours}h` : `${hours}h ${minutes}m ${Math.floor(seconds) % 60}s`;
}
