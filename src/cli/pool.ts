import type { Command } from "commander";
import type { Client, ClientFlags } from "./client.ts";
import { asking, countIn } from "./options.ts";
import { print } from "./output.ts";

interface PoolView {
  readonly pool_id: string;
  readonly name: string;
  readonly kind: string;
  readonly org?: string | null;
  readonly max_nodes: number;
  readonly nodes: number;
  readonly etag?: string;
}

interface Flags extends ClientFlags {
  readonly name?: string;
  readonly kind?: string;
  readonly org?: string;
  readonly maxNodes?: string;
}

/** `pool create|list|show|update|delete`. */
export function poolCommands(program: Command): void {
  const pool = program.command("pool").description("the pools of this installation");
  asking(pool.command("create <name>").description("make another pool"), create)
    .option("--kind <kind>", "main, test, dev or enterprise", "main")
    .option("--org <org>", "the organization it belongs to")
    .option("--max-nodes <n>", "how many nodes it may hold (default: registry.max_nodes)");
  asking(pool.command("list").description("list the pools"), list);
  asking(pool.command("show <pool>").description("show one pool"), show);
  asking(pool.command("update <pool>").description("change a pool"), update)
    .option("--name <name>", "its new name")
    .option("--kind <kind>", "main, test, dev or enterprise")
    .option("--org <org>", "the organization it belongs to")
    .option("--max-nodes <n>", "how many nodes it may hold");
  asking(pool.command("delete <pool>").description("delete a pool without nodes or money"), remove);
}

async function create(client: Client, flags: Flags, [name]: readonly string[]): Promise<void> {
  const body = { ...termsOf(flags), name };
  tell(await client.json("POST", "/api/v1/pools", { body }), flags);
}

async function list(client: Client, flags: Flags): Promise<void> {
  const pools = await Array.fromAsync(client.items<PoolView>("/api/v1/pools"));
  if (flags.json) {
    print.json({ items: pools });
    return;
  }
  const rows = pools.map((pool) => [
    pool.pool_id,
    pool.name,
    pool.kind,
    pool.nodes,
    pool.max_nodes,
  ]);
  print.table(["pool", "name", "kind", "nodes", "max"], rows);
}

async function show(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  tell(await client.json("GET", `/api/v1/pools/${encodeURIComponent(id ?? "")}`), flags);
}

async function update(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  const body = termsOf(flags);
  tell(await client.json("PUT", `/api/v1/pools/${encodeURIComponent(id ?? "")}`, { body }), flags);
}

async function remove(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  await client.text("DELETE", `/api/v1/pools/${encodeURIComponent(id ?? "")}`);
  if (flags.json) print.json({ deleted: id });
  else print.line(`The pool ${id} is deleted.`);
}

function termsOf({ name, kind, org, maxNodes }: Flags): Readonly<Record<string, unknown>> {
  const max_nodes = maxNodes === undefined ? undefined : countIn("--max-nodes", maxNodes);
  return Object.fromEntries(
    Object.entries({ name, kind, org, max_nodes }).filter(([, value]) => value !== undefined),
  );
}

function tell(pool: PoolView, flags: Flags): void {
  if (flags.json) {
    print.json({ ...pool });
    return;
  }
  print.facts([
    ["pool", pool.pool_id],
    ["name", pool.name],
    ["kind", pool.kind],
    ["organization", pool.org],
    ["nodes", `${pool.nodes} of ${pool.max_nodes}`],
  ]);
}
