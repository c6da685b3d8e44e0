import type { Command } from "commander";
import { PoolError } from "@/std/errors.ts";
import type { Client, ClientFlags } from "./client.ts";
import { asking, countIn, secondsIn } from "./options.ts";
import { print } from "./output.ts";
import { poolIdOf } from "./pool-named.ts";

interface TokenView {
  readonly token_id: string;
  readonly token?: string;
  readonly pool_id: string;
  readonly uses_left: number;
  readonly expires_at: string;
  readonly node_name?: string | null;
  readonly specialization?: string | null;
  readonly state?: string;
}

interface Flags extends ClientFlags {
  readonly pool?: string;
  readonly uses?: string;
  readonly ttl?: string;
  readonly nodeName?: string;
  readonly specialization?: string;
  readonly jwt?: boolean;
}

/** `token create|list|revoke|rotate`. */
export function tokenCommands(program: Command): void {
  const token = program.command("token").description("tokens with which nodes join");
  asking(token.command("create").description("make a join token; it is shown once"), create)
    .option("--pool <pool>", "the pool it is for, by id or name (default: the only one)")
    .option("--uses <n>", "how many nodes may join with it", "1")
    .option("--ttl <time>", "how long it is good: 30m, 1h, 7d", "1h")
    .option("--node-name <name>", "only for a node of this name")
    .option("--specialization <s>", "only for this specialization, approved at once")
    .addHelpText("after", "\nExample:\n  galaxy-pool token create --uses 3 --ttl 1d");
  asking(token.command("list").description("list the join tokens, without secrets"), list);
  asking(token.command("revoke <token-id>").description("make a join token worthless"), revoke);
  asking(
    token.command("rotate").description("replace the operator's token, also while it runs"),
    rotate,
  )
    .option(
      "--jwt",
      "replace the key that signs access tokens instead; the old one verifies for a day",
    )
    .addHelpText("after", "\nExample:\n  galaxy-pool token rotate --jwt");
}

async function create(client: Client, flags: Flags): Promise<void> {
  const body = {
    uses: countIn("--uses", flags.uses ?? "1"),
    ttl_seconds: secondsIn("--ttl", flags.ttl ?? "1h"),
    pool_id: flags.pool ? await poolIdOf(client, flags.pool) : await onlyPool(client),
    ...(flags.nodeName ? { node_name: flags.nodeName } : {}),
    ...(flags.specialization ? { specialization: flags.specialization } : {}),
  };
  const made = await client.json<TokenView>("POST", "/api/v1/tokens", { body });
  if (flags.json) {
    print.json({ ...made });
    return;
  }
  print.line(made.token ?? "");
  if (process.stdout.isTTY) {
    print.line(`\nGood until ${made.expires_at}, ${made.uses_left} use(s). On the other machine:`);
    print.line(`  galaxy-pool node join HOST --token ${made.token}`);
  }
}

/** The pool meant when nobody says which: the only one. */
async function onlyPool(client: Client): Promise<string> {
  const pools = await Array.fromAsync(
    client.items<{ pool_id: string; name: string }>("/api/v1/pools"),
  );
  const [only, ...others] = pools;
  if (only && others.length === 0) return only.pool_id;
  const names = pools.map(({ name, pool_id }) => `${name} (${pool_id})`).join(", ");
  throw new PoolError(
    "invalid",
    "cli.which_pool",
    `There are several pools here; say which with --pool: ${names}.`,
  );
}

async function list(client: Client, flags: Flags): Promise<void> {
  const tokens = await Array.fromAsync(client.items<TokenView>("/api/v1/tokens"));
  if (flags.json) {
    print.json({ items: tokens });
    return;
  }
  const rows = tokens.map((one) => [
    one.token_id,
    one.pool_id,
    one.uses_left,
    one.expires_at,
    one.state,
  ]);
  print.table(["token", "pool", "uses left", "expires", "state"], rows);
}

async function revoke(client: Client, flags: Flags, [id]: readonly string[]): Promise<void> {
  await client.text("DELETE", `/api/v1/tokens/${encodeURIComponent(id ?? "")}`);
  if (flags.json) print.json({ revoked: id });
  else print.line(`The token ${id} is revoked.`);
}

async function rotate(client: Client, flags: Flags): Promise<void> {
  const what = flags.jwt ? "jwt-key" : "operator-token";
  const done = await client.json<{ kid?: string; file?: string }>(
    "POST",
    `/api/v1/auth/${what}/rotate`,
  );
  if (flags.json) print.json({ ...done });
  else if (flags.jwt) print.line(`Access tokens are signed with the key ${done.kid} from now on.`);
  else
    print.line(
      `The operator's token is new, in ${done.file} of the data folder; the one before is dead.`,
    );
}
