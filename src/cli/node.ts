import type { Command } from "commander";
import type { Client, ClientFlags } from "./client.ts";
import { agentCommands } from "./node-agent.ts";
import { asking, type Outcome } from "./options.ts";
import { print } from "./output.ts";
import { durationMs } from "./times.ts";

interface Suspension {
  readonly reason: string | null;
  readonly since: string;
  readonly remove_at: string | null;
}

interface NodeView {
  readonly node_id: string;
  readonly pool_id: string;
  readonly name: string;
  readonly specialization: string;
  readonly specialization_approved?: boolean;
  readonly endpoint?: string | null;
  readonly org?: string | null;
  readonly state: string;
  readonly suspension?: Suspension | null;
  readonly pending_since?: string | null;
  readonly health_permille: number;
  readonly registered_at: string;
  readonly last_seen_at: string | null;
  readonly metadata?: Readonly<Record<string, string>>;
}

interface Flags extends ClientFlags {
  readonly pool?: string;
  readonly specialization?: string;
  readonly org?: string;
  readonly state?: string;
  readonly q?: string;
  readonly reason?: string;
  readonly removeAfter?: string;
}

/** `node …`: looking at nodes from the pool, and the node's own side. */
export function nodeCommands(program: Command, outcome: Outcome): void {
  const node = program.command("node").description("join a pool, run a node, or look at nodes");
  agentCommands(node, outcome);
  asking(node.command("list").description("list the nodes of this installation"), list)
    .option("--pool <pool>", "only nodes of this pool, by its id")
    .option("--specialization <s>", "only nodes for this")
    .option("--org <org>", "only nodes of this organization")
    .option("--state <state>", "pending, new, alive, late, lost, suspended or left")
    .option("-q, --q <text>", "part of the name or id");
  asking(node.command("show <node>").description("show one node"), show);
  asking(
    node.command("approve <node>").description("approve the specialization a node asked for"),
    (client, flags, args) => act(client, flags, args, "approve"),
  );
  asking(
    node
      .command("suspend <node>")
      .description("stop a node from earning; what it has stays its own"),
    (client, flags, args) => act(client, flags, args, "suspend"),
  )
    .option("--reason <text>", "why, for the record and for whoever looks")
    .option(
      "--remove-after <time>",
      "after how long the pool removes it: 12h, 7d or never (default: registry.suspension_grace)",
    )
    .addHelpText(
      "after",
      `
A suspended node earns nothing and is cut off; it keeps its place, its credits and its balance. Unless it
is resumed, the pool removes it by itself when its time of grace is over; what it is owed stays payable.

Examples:
  galaxy-pool node suspend NODE --reason "answers nobody" --remove-after 7d
  galaxy-pool node suspend NODE --remove-after never
  galaxy-pool node resume NODE`,
    );
  asking(node.command("resume <node>").description("end a suspension"), (client, flags, args) =>
    act(client, flags, args, "resume"),
  );
  asking(
    node.command("remove <node>").description("remove a node; what it is owed stays payable"),
    remove,
  );
}

async function list(client: Client, flags: Flags): Promise<void> {
  const { pool, specialization, org, state, q } = flags;
  const query = { pool, specialization, org, state, q };
  const nodes = await Array.fromAsync(client.items<NodeView>("/api/v1/nodes", query));
  if (flags.json) {
    print.json({ items: nodes });
    return;
  }
  const rows = nodes.map((one) => [
    one.node_id,
    one.name,
    one.specialization,
    one.state,
    one.health_permille,
    one.last_seen_at,
    noteOn(one),
  ]);
  const columns = ["node", "name", "specialization", "state", "health ‰", "last seen", "note"];
  print.table(columns, rows);
}

async function show(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  tell(await client.json("GET", `/api/v1/nodes/${encodeURIComponent(id ?? "")}`), flags);
}

async function act(
  client: Client,
  flags: Flags,
  [id]: readonly string[],
  verb: string,
): Promise<void> {
  const { reason, removeAfter } = flags;
  const body = {
    ...(reason && { reason }),
    ...(removeAfter && { remove_after_seconds: secondsIn(removeAfter) }),
  };
  tell(
    await client.json("POST", `/api/v1/nodes/${encodeURIComponent(id ?? "")}/${verb}`, { body }),
    flags,
  );
}

/** How long, as typed; null for never. */
function secondsIn(text: string): number | null {
  return text === "never" ? null : Math.round(durationMs("--remove-after", text) / 1000);
}

/** What a person has to know besides the state. */
function noteOn({ suspension, pending_since }: NodeView): string | null {
  if (suspension) return suspensionText(suspension);
  return pending_since ? `pending since ${pending_since}` : null;
}

function suspensionText({ reason, since, remove_at }: Suspension): string {
  const why = reason === null ? "" : `: ${reason}`;
  const end = remove_at === null ? "never removed" : `removed on ${remove_at}`;
  return `since ${since}, ${end}${why}`;
}

async function remove(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  await client.text("DELETE", `/api/v1/nodes/${encodeURIComponent(id ?? "")}`);
  if (flags.json) print.json({ removed: id });
  else print.line(`The node ${id} is removed. What it is owed stays payable.`);
}

function tell(node: NodeView, flags: Flags): void {
  if (flags.json) {
    print.json({ ...node });
    return;
  }
  const waiting = node.specialization_approved === false ? " (waits for approval)" : "";
  print.facts([
    ["node", node.node_id],
    ["pool", node.pool_id],
    ["name", node.name],
    ["specialization", `${node.specialization}${waiting}`],
    ["endpoint", node.endpoint],
    ["organization", node.org],
    ["state", node.state],
    ["suspended", node.suspension ? suspensionText(node.suspension) : undefined],
    ["pending since", node.pending_since],
    ["health ‰", node.health_permille],
    ["registered", node.registered_at],
    ["last seen", node.last_seen_at],
    ...Object.entries(node.metadata ?? {}).map(
      ([key, value]) => [`metadata ${key}`, value] as const,
    ),
  ]);
}
