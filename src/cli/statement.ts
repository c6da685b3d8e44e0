import type { Command } from "commander";
import type { Client, ClientFlags } from "./client.ts";
import { asking } from "./options.ts";
import { print } from "./output.ts";

interface Flags extends ClientFlags {
  readonly from?: string;
  readonly to?: string;
  readonly format?: string;
}

/** `statement NODE`: a signed account of a period, as JSON or CSV on standard output. */
export function statementCommand(program: Command): void {
  asking(
    program.command("statement <node>").description("print a node's signed statement"),
    statement,
  )
    .option("--from <time>", "RFC 3339 time or date (default: the start)")
    .option("--to <time>", "RFC 3339 time or date (default: now)")
    .option("--format <format>", "json or csv", "json");
}

async function statement(client: Client, flags: Flags, [node]: readonly string[]): Promise<void> {
  const query = { from: flags.from, to: flags.to, format: flags.json ? "json" : flags.format };
  const path = `/api/v1/statements/${encodeURIComponent(node ?? "")}`;
  const text = await client.text("GET", path, { query });
  if (flags.json) {
    print.json(JSON.parse(text));
    return;
  }
  process.stdout.write(text.endsWith("\n") ? text : `${text}\n`);
}
