import { Command, CommanderError } from "commander";
import { VERSION } from "@/std/version.ts";

import { anomalyCommands } from "./anomaly.ts";
import { auditCommands } from "./audit.ts";
import { certCommands } from "./cert.ts";
import { sparingProxies } from "./client.ts";
import { clockCommands } from "./clock.ts";
import { completionCommand } from "./completion.ts";
import { configCommands } from "./config.ts";
import { Ending } from "./ending.ts";
import { addExamples } from "./examples.ts";
import { explainCommand } from "./explain.ts";
import { filesCommand } from "./files.ts";
import { healthCommand } from "./health.ts";
import { keyCommands } from "./key.ts";
import { nodeCommands } from "./node.ts";
import { configOptions, Outcome } from "./options.ts";
import { payoutCommands } from "./payout.ts";
import { poolCommands } from "./pool.ts";
import { pootCommands } from "./poot.ts";
import { EXIT, tellRefusal } from "./refusals.ts";
import { statementCommand } from "./statement.ts";
import { statusCommand } from "./status.ts";
import { tokenCommands } from "./token.ts";
import { userCommands } from "./user.ts";
import { versionCommand } from "./version.ts";

/** Runs one command line; answers the exit code (api.md, section 3). */
export async function run(argv: readonly string[], outcome = new Outcome()): Promise<number> {
  const program = buildProgram(outcome);
  sparingProxies();
  try {
    await program.parseAsync(normalised(argv), { from: "user" });
    return outcome.code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.done : EXIT.usage;
    return tellRefusal(error, argv.includes("--json"));
  }
}

/** The whole command line, as a tree; completion is made from the same tree. */
export function buildProgram(outcome: Outcome): Command {
  const program = new Command("galaxy-pool")
    .description(
      "Turns this board into a node pool: machines join, prove their time, and are paid.",
    )
    .version(VERSION, "-V, --version", "print the version")
    .exitOverride()
    .showHelpAfterError('Try "galaxy-pool --help".')
    .enablePositionalOptions();
  addServe(program, outcome);
  addInit(program, outcome);
  statusCommand(program, outcome);
  healthCommand(program, outcome);
  nodeCommands(program, outcome);
  poolCommands(program);
  tokenCommands(program);
  keyCommands(program);
  userCommands(program);
  certCommands(program);
  payoutCommands(program);
  explainCommand(program);
  statementCommand(program);
  pootCommands(program, outcome);
  auditCommands(program, outcome);
  clockCommands(program);
  anomalyCommands(program);
  configCommands(program);
  versionCommand(program);
  completionCommand(program);
  filesCommand(program);
  addExamples(program);
  for (const command of everyCommand(program)) command.exitOverride().showSuggestionAfterError();
  return program;
}

function addServe(program: Command, outcome: Outcome): void {
  configOptions(program.command("serve"))
    .description("run the pool until it is told to stop")
    .option("--init", "make the data folder, keys and a default pool when there is nothing yet")
    .addHelpText("after", "\nExample:\n  galaxy-pool serve --config ./pool.yaml")
    .action(async (flags) => {
      outcome.isService = true;
      using ending = new Ending();
      const { serve } = await import("./serve.ts");
      outcome.code = await serve(flags, ending);
    });
}

function addInit(program: Command, outcome: Outcome): void {
  configOptions(program.command("init"))
    .description("make the data folder, keys, CA, operator token and a default pool")
    .option("--name <name>", "name of the default pool", "default")
    .option("--kind <kind>", "main, test, dev or enterprise", "main")
    .option("--org <org>", "the organization the default pool belongs to")
    .option("--json", "print JSON")
    .addHelpText("after", "\nExample:\n  galaxy-pool init --config ./pool.yaml --data ./pool")
    .action(async (flags) => {
      const { init } = await import("./init.ts");
      outcome.code = await init(flags);
    });
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap(everyCommand)];
}

/** `-config FILE` and `pool start`, as the sources of this project write them, mean `serve`. */
function normalised(argv: readonly string[]): string[] {
  const words = argv.map((word) => (word === "-config" ? "--config" : word));
  if (words[0] === "pool" && words[1] === "start") return ["serve", ...words.slice(2)];
  if (words[0] === "--config" || words[0]?.startsWith("--config=")) return ["serve", ...words];
  return words;
}
