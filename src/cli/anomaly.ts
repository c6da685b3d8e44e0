import type { Command } from "commander";
import type { Client, ClientFlags } from "./client.ts";
import { asking } from "./options.ts";
import { print } from "./output.ts";

interface AnomalyView {
  readonly anomaly_id: string;
  readonly rule: string;
  readonly subject: string;
  readonly count: number;
  readonly state: string;
  readonly sentence: string;
  readonly advice: string;
  readonly first_at: string;
  readonly last_at: string;
  readonly acknowledged_at: string | null;
  readonly acknowledged_by: string | null;
  readonly note: string | null;
}

interface Flags extends ClientFlags {
  readonly all?: boolean;
  readonly note?: string;
}

/** `anomaly list|show|ack`. */
export function anomalyCommands(program: Command): void {
  const anomaly = program.command("anomaly").description("what looks like an attack or a mistake");
  asking(anomaly.command("list").description("list open anomalies, the newest first"), list).option(
    "--all",
    "acknowledged ones, too",
  );
  asking(anomaly.command("show <id>").description("show one, and what to do about it"), show);
  asking(anomaly.command("ack <id>").description("say that it was seen; it is closed"), ack)
    .option("--note <text>", "what came of it, for the next reader")
    .addHelpText(
      "after",
      '\nExample:\n  galaxy-pool anomaly ack 3 --note "Bob mistyped his token"',
    );
}

async function list(client: Client, flags: Flags): Promise<void> {
  const query = { state: flags.all ? "all" : "open" };
  const found = await Array.fromAsync(client.items<AnomalyView>("/api/v1/anomalies", query));
  if (flags.json) {
    print.json({ items: found });
    return;
  }
  if (found.length === 0) {
    print.line(flags.all ? "Nothing was ever noticed." : "Nothing is open.");
    return;
  }
  const rows = found.map((one) => [
    one.anomaly_id,
    one.rule,
    one.subject,
    one.count,
    one.last_at,
    one.state,
  ]);
  print.table(["id", "rule", "subject", "count", "last", "state"], rows);
}

async function show(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  tell(await client.json<AnomalyView>("GET", pathOf(id)), flags);
}

async function ack(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  const body = flags.note === undefined ? {} : { note: flags.note };
  const view = await client.json<AnomalyView>("POST", `${pathOf(id)}/acknowledge`, { body });
  if (flags.json) print.json({ ...view });
  else print.line(`Anomaly ${view.anomaly_id} is acknowledged by ${view.acknowledged_by}.`);
}

function tell(view: AnomalyView, { json }: Flags): void {
  if (json) {
    print.json({ ...view });
    return;
  }
  print.line(`Anomaly ${view.anomaly_id}: ${view.sentence}`);
  print.line("");
  print.facts([
    ["rule", view.rule],
    ["subject", view.subject],
    ["count", view.count],
    ["first", view.first_at],
    ["last", view.last_at],
    ["state", view.state],
    ["acknowledged", view.acknowledged_at && `${view.acknowledged_at} by ${view.acknowledged_by}`],
    ["note", view.note],
  ]);
  print.line("");
  print.line(view.advice);
}

function pathOf(id: string | undefined): string {
  return `/api/v1/anomalies/${encodeURIComponent(id ?? "")}`;
}
