import type { Logger } from "pino";
import { runningNodeModules } from "@/app.ts";
import type { Kernel } from "@/kernel/kernel.ts";
import type { Supervisor } from "@/ports/supervisor.ts";
import { PoolError } from "@/std/errors.ts";
import { Ending } from "./ending.ts";
import { type Agent, type FolderFlags, withAgent } from "./node-folder.ts";
import { print } from "./output.ts";
import { EXIT } from "./refusals.ts";

/** What `node run` may be told. */
export interface RunFlags extends FolderFlags {
  readonly logLevel?: string;
}

/** Proves this machine's time to its pool until told to stop; SIGHUP connects anew. */
export async function runNode(flags: RunFlags): Promise<number> {
  using ending = new Ending();
  const logLevel = flags.logLevel ?? process.env["LOG_LEVEL"] ?? "info";
  const levelOrigin = flags.logLevel === undefined ? "environment LOG_LEVEL" : "flag";
  const terms = { flags, logLevel, levelOrigin, modules: runningNodeModules };
  return await withAgent(terms, (agent, kernel, log) => runUntil(ending, agent, kernel, log));
}

async function runUntil(
  ending: Ending,
  agent: Agent,
  kernel: Kernel,
  log: Logger,
): Promise<number> {
  ending.sayIn(log);
  const supervisor = kernel.service("supervisor");
  using reports = new DisposableStack();
  const running = agent.run((state) => {
    if (!ending.isBegun) supervisor.status(lineOf(state));
  });
  ending.on("SIGHUP", () => reconnect(agent, supervisor, log));
  supervisor.ready("connecting to the pool");
  reports.defer(supervisor.feedWhile(() => ending.isBegun || agent.isMoving()));
  void ending.code.then(() => {
    supervisor.stopping("the node is stopping");
    agent.stop();
  });
  const end = await running;
  if (ending.isBegun) return await ending.code;
  if (end === "left") print.line("This node has left its pool.");
  if (end === "removed") throw removed();
  return EXIT.done;
}

function reconnect(agent: Agent, supervisor: Supervisor, log: Logger): void {
  supervisor.reloading();
  log.info("told to connect anew");
  agent.reconnect();
  supervisor.ready("connecting to the pool");
}

function lineOf({ connected, address, problem }: NonNullable<ReturnType<Agent["runState"]>>) {
  if (connected) return `connected to ${address}`;
  return problem === "" ? "not connected" : `not connected: ${problem}`;
}

function removed(): PoolError {
  return new PoolError(
    "denied",
    "node.removed",
    "An operator removed this node from its pool. To join again it needs another folder and a new token.",
  );
}
