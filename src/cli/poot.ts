import { readFileSync } from "node:fs";
import type { Command } from "commander";
import { PoolError } from "@/std/errors.ts";
import type { Client, ClientFlags } from "./client.ts";
import { asking, type Outcome } from "./options.ts";
import { print } from "./output.ts";
import { EXIT } from "./refusals.ts";
import { type Verdict, verifyFiles } from "./verifying.ts";

interface Flags extends ClientFlags {
  readonly from?: string;
  readonly to?: string;
  readonly file?: boolean;
  readonly pool?: string;
  readonly node?: string;
}

interface TimeView {
  readonly node_id: string;
  readonly pool_id: string;
  readonly credit_total: number;
  readonly today: Readonly<Record<string, number | null>>;
  readonly intervals: readonly {
    readonly begins_at: string;
    readonly slots: string;
    readonly ticks: number;
  }[];
}

interface CalculationView {
  readonly stored: { readonly ticks: number; readonly cu: string };
  readonly recomputed: { readonly ticks: number; readonly cu: string };
  readonly ledger: {
    readonly recomputed_micro_usdt: string;
    readonly ledger_micro_usdt: string;
  } | null;
  readonly equal: boolean;
}

/** `poot show|verify|calculate`. */
export function pootCommands(program: Command, outcome: Outcome): void {
  const poot = program.command("poot").description("proof of operational time");
  asking(
    poot.command("show <node>").description("show a node's slots, or its proof as a file"),
    show,
  )
    .option("--from <time>", "RFC 3339 time (default: a day before the end)")
    .option("--to <time>", "RFC 3339 time (default: now)")
    .option("--file", "print the proof that anybody can check offline");
  poot
    .command("verify <file...>")
    .description(
      "check proof and evidence files offline; two proofs are also held against each other",
    )
    .option("--pool <pool-id>", "the pool the proof must be of")
    .option("--node <node-id>", "the node the proof must be of")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExample:\n  galaxy-pool poot show NODE --file > proof.json\n  galaxy-pool poot verify proof.json",
    )
    .action((files: string[], flags: Flags) => {
      outcome.code = verify(files, flags);
    });
  asking(
    poot
      .command("calculate [node]")
      .description("recompute credits and compare them with the ledger"),
    async (client, flags, args) => {
      outcome.code = await calculate(client, flags, args);
    },
  ).option("--pool <pool-id>", "which pool, when there are several");
}

async function show(client: Client, flags: Flags, [node]: readonly string[]): Promise<void> {
  const path = `/api/v1/poot/${encodeURIComponent(node ?? "")}`;
  const { from, to } = flags;
  if (flags.file) {
    const text = await client.text("GET", path, { query: { from, to, format: "file" } });
    process.stdout.write(`${text.trim()}\n`);
    return;
  }
  const view = await client.json<TimeView>("GET", path, { query: { from, to } });
  if (flags.json) {
    print.json({ ...view });
    return;
  }
  print.facts([
    ["node", view.node_id],
    ["pool", view.pool_id],
    ["slots credited", view.credit_total],
    ...Object.entries(view.today).map(
      ([state, count]) => [`today ${state.replace("_permille", " ‰")}`, count] as const,
    ),
  ]);
  print.line("\nU up, D down, ? unobserved, P planned");
  print.table(
    ["interval", "slots", "credited"],
    view.intervals.map((one) => [one.begins_at, one.slots, one.ticks]),
  );
}

function verify(paths: readonly string[], flags: Flags): number {
  const wanted = { pool: flags.pool, node: flags.node };
  const verdict = verifyFiles(
    paths.map((path) => ({ path, text: textOf(path) })),
    wanted,
  );
  if (flags.json) print.json({ ...verdict });
  else tellVerdict(verdict);
  return verdict.ok ? EXIT.done : EXIT.checkFailed;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PoolError("not_found", "poot.unreadable", `${path} cannot be read: ${why}.`);
  }
}

function tellVerdict({ files, evidence, ok }: Verdict): void {
  for (const file of files) {
    print.line(
      `${file.path}: node ${file.node_id}, pool ${file.pool_id}, ${file.credit_total} slots credited`,
    );
    for (const check of file.checks)
      print.line(`  ${check.ok ? "ok    " : "FAILED"}  ${check.sentence}`);
  }
  for (const { type, sentence } of evidence) print.line(`${type}  ${sentence}`);
  print.line(ok ? "Everything holds." : "Something does not hold.");
}

async function calculate(client: Client, flags: Flags, [node]: readonly string[]): Promise<number> {
  const body = {
    ...(node ? { node_id: node } : {}),
    ...(flags.pool ? { pool_id: flags.pool } : {}),
  };
  const view = await client.json<CalculationView>("POST", "/api/v1/poot/calculate", { body });
  if (flags.json) print.json({ ...view });
  else {
    print.table(
      ["", "slots", "cu"],
      [
        ["stored", view.stored.ticks, view.stored.cu],
        ["recomputed", view.recomputed.ticks, view.recomputed.cu],
      ],
    );
    if (view.ledger)
      print.line(
        `ledger ${view.ledger.ledger_micro_usdt} µUSDT, recomputed ${view.ledger.recomputed_micro_usdt} µUSDT`,
      );
    print.line(view.equal ? "They are equal." : "They DIFFER.");
  }
  return view.equal ? EXIT.done : EXIT.checkFailed;
}
