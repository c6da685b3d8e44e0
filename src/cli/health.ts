import type { Command } from "commander";
import { isRefusal, type PoolError } from "@/std/errors.ts";
import { Client, localUrl, notAPool, requireUrl } from "./client.ts";
import { type ConfigFlags, loadConfiguration } from "./configuration.ts";
import { configOptions, type Outcome } from "./options.ts";
import { print } from "./output.ts";
import { EXIT } from "./refusals.ts";
import { durationMs } from "./times.ts";

interface Flags extends ConfigFlags {
  readonly url?: string;
  readonly wait?: string;
  readonly json?: boolean;
}

interface HealthView {
  readonly status: string;
  readonly version: string;
  readonly checks: Readonly<Record<string, { readonly ok: boolean; readonly detail: string }>>;
}

const ASK_EVERY_MS = 250;

/** `health`: whether the pool of this machine is well; what a container and an installer ask. */
export function healthCommand(program: Command, outcome: Outcome): void {
  configOptions(program.command("health"))
    .description("say whether the pool on this machine is well; it needs no token")
    .option("--url <url>", "another pool's HTTP address (default: the local one)")
    .option("--wait <time>", "wait so long for it to be well: 30s, 2m")
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nEnds with 0 when the pool is well, 4 when it is not, 3 when nobody answers.",
    )
    .action(async (flags: Flags) => {
      outcome.code = await health(flags);
    });
}

async function health(flags: Flags): Promise<number> {
  const waitMs = flags.wait === undefined ? 0 : durationMs("--wait", flags.wait);
  if (flags.url !== undefined) requireUrl(flags.url);
  const view = await healthWithin(flags, waitMs);
  if (flags.json) print.json({ ...view });
  else tell(view);
  return view.status === "healthy" ? EXIT.done : EXIT.checkFailed;
}

/** The last answer within that time; the first good one ends the wait. */
async function healthWithin(flags: Flags, waitMs: number): Promise<HealthView> {
  const endMs = performance.now() + waitMs;
  for (;;) {
    const view = await ask(flags);
    const isOver = performance.now() >= endMs;
    if (!isRefusal(view) && (isOver || view.status === "healthy")) return view;
    if (isRefusal(view) && isOver) throw view;
    await new Promise((resolve) => setTimeout(resolve, ASK_EVERY_MS));
  }
}

/** The address is looked up each time: a pool that is starting has not said yet where it listens. */
async function ask(flags: Flags): Promise<HealthView | PoolError> {
  const url = flags.url ?? localUrl(loadConfiguration(flags).configuration);
  try {
    const { body } = await new Client(url, undefined).peek<unknown>("/health");
    return isHealth(body) ? body : notAPool(url, "it says nothing of its health");
  } catch (error) {
    if (isRefusal(error) && error.kind === "unavailable") return error;
    throw error;
  }
}

function isHealth(body: unknown): body is HealthView {
  const { status, version, checks } = (body ?? {}) as Partial<HealthView>;
  if (typeof status !== "string" || typeof version !== "string") return false;
  return typeof checks === "object" && checks !== null && Object.values(checks).every(isCheck);
}

function isCheck(check: unknown): boolean {
  return typeof check === "object" && check !== null && "ok" in check && "detail" in check;
}

function tell({ status, version, checks }: HealthView): void {
  print.line(`galaxy-pool ${version}: ${status}`);
  print.facts(
    Object.entries(checks).map(([name, { ok, detail }]) => [
      name,
      `${ok ? "ok" : "NOT ok"}: ${detail}`,
    ]),
  );
}
