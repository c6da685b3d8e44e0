import type { Command } from "commander";
import type { Client, ClientFlags } from "./client.ts";
import { asking } from "./options.ts";
import { print } from "./output.ts";

interface Certificates {
  readonly root: { readonly pin: string; readonly not_after: string };
  readonly previous: {
    readonly pin: string;
    readonly until: string;
    readonly nodes: number;
  } | null;
  readonly server: { readonly not_after: string; readonly dns_names: readonly string[] };
}

interface Dependent {
  readonly node_id: string;
  readonly name: string;
  readonly state: string;
  readonly last_seen_at: string | null;
}

interface FinishFlags extends ClientFlags {
  readonly force?: boolean;
}

/** `cert show|list|rotate|finish`: the root of this installation, and its replacement. */
export function certCommands(program: Command): void {
  const cert = program
    .command("cert")
    .description("the root of this installation, and replacing it");
  asking(cert.command("show").description("show the roots and the server's certificate"), show);
  asking(cert.command("list").description("list the nodes that still need the root before"), list);
  asking(
    cert.command("rotate").description("replace the root; nodes follow by themselves"),
    rotate,
  );
  asking(cert.command("finish").description("believe the new root only, before its time"), finish)
    .option("--force", "although nodes still need the root before; they have to join again")
    .addHelpText("after", "\nExample:\n  galaxy-pool cert finish --force");
}

async function show(client: Client, flags: ClientFlags): Promise<void> {
  tell(await client.json<Certificates>("GET", "/api/v1/authority/certificates"), flags);
}

async function list(client: Client, flags: ClientFlags): Promise<void> {
  const path = "/api/v1/authority/dependents";
  const nodes = await Array.fromAsync(client.items<Dependent>(path));
  if (flags.json) {
    print.json({ items: nodes });
    return;
  }
  if (nodes.length === 0) {
    print.line("No node needs another root than the one that signs.");
    return;
  }
  const rows = nodes.map(({ node_id, name, state, last_seen_at }) => [
    node_id,
    name,
    state,
    last_seen_at ?? "never",
  ]);
  print.table(["node", "name", "state", "last seen"], rows);
}

async function rotate(client: Client, flags: ClientFlags): Promise<void> {
  const body = {};
  const made = await client.json<Certificates>("POST", "/api/v1/authority/rotate", { body });
  if (!flags.json) print.line("A new root signs; nodes fetch it with their next heartbeats.");
  tell(made, flags);
}

async function finish(client: Client, flags: FinishFlags): Promise<void> {
  const body = { force: flags.force ?? false };
  const left = await client.json<Certificates>("POST", "/api/v1/authority/finish", { body });
  if (!flags.json) print.line("Only the new root is believed.");
  tell(left, flags);
}

function tell(certificates: Certificates, flags: ClientFlags): void {
  const { root, previous, server } = certificates;
  if (flags.json) {
    print.json({ ...certificates });
    return;
  }
  print.facts([
    ["root", `${root.pin}, until ${root.not_after}`],
    ["root before", previous && `${previous.pin}, believed until ${previous.until}`],
    ["who needs it", previous && `${previous.nodes} node(s): galaxy-pool cert list`],
    ["server", `until ${server.not_after}, for ${server.dns_names.join(", ")}`],
  ]);
}
