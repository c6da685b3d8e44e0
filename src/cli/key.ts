import type { Command } from "commander";
import { PoolError } from "@/std/errors.ts";
import type { Client, ClientFlags } from "./client.ts";
import { asking, collect, secondsIn } from "./options.ts";
import { print } from "./output.ts";

interface Key {
  readonly key_id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly org: string | null;
  readonly scopes: readonly string[] | null;
  readonly state: string;
  readonly created_at: string;
  readonly created_by: string;
  readonly expires_at: string;
  readonly last_used_at: string | null;
  readonly key?: string;
}

interface Flags extends ClientFlags {
  readonly name?: string;
  readonly role?: readonly string[];
  readonly org?: string;
  readonly scope?: readonly string[];
  readonly ttl?: string;
}

const KEYS = "/api/v1/keys";

/** `key create|list|show|revoke`. */
export function keyCommands(program: Command): void {
  const key = program.command("key").description("API keys of programs");
  asking(key.command("create").description("make an API key; it is shown once"), create)
    .option("--name <text>", "what it is for")
    .option("--role <role>", "admin, operator, client or auditor; repeatable", collect, [])
    .option("--org <org>", "the organization it speaks for (default: the whole pool)")
    .option("--scope <scope>", "limit it, as nodes:read or payouts:write; repeatable", collect, [])
    .option("--ttl <time>", "how long it is good, at most 365d", "90d")
    .addHelpText(
      "after",
      "\nExample:\n  galaxy-pool key create --name backup --role auditor --scope nodes:read --ttl 30d",
    );
  asking(key.command("list").description("list the API keys, without secrets"), list);
  asking(key.command("show <key-id>").description("show an API key"), show);
  asking(key.command("revoke <key-id>").description("make an API key worthless at once"), revoke);
}

async function create(client: Client, flags: Flags): Promise<void> {
  const { name, role, org, scope, ttl = "90d" } = flags;
  if (!role?.length) {
    throw new PoolError("invalid", "cli.invalid", "Say with --role what the key may do.");
  }
  const body = {
    roles: role,
    ttl_seconds: secondsIn("--ttl", ttl),
    ...(name === undefined ? {} : { name }),
    ...(org === undefined ? {} : { org }),
    ...(scope?.length ? { scopes: scope } : {}),
  };
  const made = await client.json<Key>("POST", KEYS, { body });
  if (flags.json) {
    print.json({ ...made });
    return;
  }
  print.line(made.key ?? "");
  if (!process.stdout.isTTY) return;
  print.line(`\nGood until ${made.expires_at}; it is not shown again. Send it as X-API-Key.`);
}

async function list(client: Client, flags: Flags): Promise<void> {
  const items = await Array.fromAsync(client.items<Key>(KEYS));
  if (flags.json) {
    print.json({ items });
    return;
  }
  const rows = items.map((key) => [
    key.key_id,
    key.name,
    key.roles.join(", "),
    key.scopes?.join(", ") ?? "all",
    key.state,
    key.expires_at,
    key.last_used_at ?? "never",
  ]);
  print.table(["key", "name", "roles", "scopes", "state", "expires", "last used"], rows);
}

async function show(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  const key = await client.json<Key>("GET", pathOf(id));
  if (flags.json) {
    print.json({ ...key });
    return;
  }
  print.facts([
    ["key", key.key_id],
    ["name", key.name],
    ["roles", key.roles.join(", ")],
    ["organization", key.org],
    ["scopes", key.scopes?.join(", ") ?? "not limited"],
    ["state", key.state],
    ["created", `${key.created_at} by ${key.created_by}`],
    ["expires", key.expires_at],
    ["last used", key.last_used_at ?? "never"],
  ]);
}

async function revoke(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  await client.text("DELETE", pathOf(id));
  if (flags.json) print.json({ revoked: id });
  else print.line(`The API key ${id} is revoked, and every key that was made with it.`);
}

function pathOf(id = ""): string {
  return `${KEYS}/${encodeURIComponent(id)}`;
}
