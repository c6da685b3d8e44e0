import type { Command } from "commander";
import { PoolError } from "@/std/errors.ts";
import type { Client, ClientFlags } from "./client.ts";
import { asking, collect, countIn } from "./options.ts";
import { print } from "./output.ts";
import { poolIdOf } from "./pool-named.ts";

interface PoolView {
  readonly pool_id: string;
  readonly name: string;
  readonly kind: string;
  readonly org?: string | null;
  readonly visibility: string;
  readonly allowed_orgs?: readonly string[] | null;
  readonly max_nodes: number;
  readonly nodes: number;
  readonly etag?: string;
}

interface Flags extends ClientFlags {
  readonly name?: string;
  readonly kind?: string;
  readonly org?: string;
  readonly maxNodes?: string;
  readonly public?: boolean;
  readonly private?: boolean;
  readonly allowedOrg?: readonly string[];
  readonly nobody?: boolean;
  readonly anyOrg?: boolean;
}

/** `pool create|list|show|update|delete`. */
export function poolCommands(program: Command): void {
  const pool = program.command("pool").description("the pools of this installation");
  const creating = asking(pool.command("create <name>").description("make another pool"), create)
    .option("--kind <kind>", "main, test, dev or enterprise", "main")
    .option("--org <org>", "the organization it belongs to")
    .option("--max-nodes <n>", "how many nodes it may hold (default: registry.max_nodes)");
  doorOptions(creating).addHelpText("after", CREATE_EXAMPLES);
  asking(pool.command("list").description("list the pools"), list);
  asking(pool.command("show <pool>").description("show one pool, by id or name"), show);
  const updating = asking(pool.command("update <pool>").description("change a pool"), update)
    .option("--name <name>", "its new name")
    .option("--kind <kind>", "main, test, dev or enterprise")
    .option("--org <org>", "the organization it belongs to")
    .option("--max-nodes <n>", "how many nodes it may hold");
  doorOptions(updating).addHelpText("after", UPDATE_EXAMPLES);
  asking(pool.command("delete <pool>").description("delete a pool without nodes or money"), remove);
}

const CREATE_EXAMPLES = `
Without --public and --private it follows registry.allow_public_registration. Nodes come into a private
pool by tokens only, and for everybody it is not for it does not exist.

Examples:
  galaxy-pool pool create lab --kind test --max-nodes 10
  galaxy-pool pool create playground --public
  galaxy-pool pool create works --private --org acme --allowed-org acme --allowed-org beta`;

const UPDATE_EXAMPLES = `
Examples:
  galaxy-pool pool update POOL --name cellar
  galaxy-pool pool update POOL --private
  galaxy-pool pool update POOL --allowed-org acme
  galaxy-pool pool update POOL --nobody`;

/** Who may come into a pool and see it. */
function doorOptions(command: Command): Command {
  return command
    .option("--public", "anybody may enrol a node, by an API key or a proof of work")
    .option("--private", "nodes come by operators and tokens only, and others do not see it")
    .option("--allowed-org <org>", "an organization a private pool is for; repeatable", collect, [])
    .option("--nobody", "for no organization: nobody new is admitted")
    .option("--any-org", "for the organizations registry.allowed_orgs says, or any");
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
    pool.visibility,
    pool.nodes,
    pool.max_nodes,
  ]);
  print.table(["pool", "name", "kind", "open to", "nodes", "max"], rows);
}

async function show(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  tell(await client.json("GET", await pathOf(client, id)), flags);
}

async function update(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  const body = termsOf(flags);
  tell(await client.json("PUT", await pathOf(client, id), { body }), flags);
}

async function remove(client: Client, flags: Flags, [pool = ""]: readonly string[]): Promise<void> {
  const id = await poolIdOf(client, pool);
  await client.text("DELETE", `/api/v1/pools/${encodeURIComponent(id)}`);
  if (flags.json) print.json({ deleted: id });
  else print.line(`The pool ${id} is deleted.`);
}

async function pathOf(client: Client, pool = ""): Promise<string> {
  return `/api/v1/pools/${encodeURIComponent(await poolIdOf(client, pool))}`;
}

function termsOf(flags: Flags): Readonly<Record<string, unknown>> {
  const { name, kind, org, maxNodes } = flags;
  const max_nodes = maxNodes === undefined ? undefined : countIn("--max-nodes", maxNodes);
  const terms = { name, kind, org, max_nodes, ...doorOf(flags) };
  return Object.fromEntries(Object.entries(terms).filter(([, value]) => value !== undefined));
}

function doorOf(flags: Flags) {
  const { allowedOrg = [], nobody, anyOrg } = flags;
  if (flags.public && flags.private) throw usage("Say --public or --private, not both.");
  const said = [allowedOrg.length > 0, nobody, anyOrg].filter(Boolean);
  if (said.length > 1) throw usage("Say one of --allowed-org, --nobody and --any-org.");
  const visibility = flags.public ? "public" : flags.private ? "private" : undefined;
  const orgs = allowedOrg.length > 0 || nobody ? allowedOrg : undefined;
  return { visibility, allowed_orgs: anyOrg ? null : orgs };
}

function usage(message: string): PoolError {
  return new PoolError("invalid", "cli.invalid", message);
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
    ["open to", openTo(pool)],
    ["nodes", `${pool.nodes} of ${pool.max_nodes}`],
  ]);
}

function openTo({ visibility, allowed_orgs: orgs }: PoolView): string {
  if (visibility === "public") return "anybody (public)";
  if (!orgs) return "who has a token (private)";
  return orgs.length === 0 ? "nobody (private)" : `${orgs.join(", ")} by token (private)`;
}
