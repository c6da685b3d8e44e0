import { hostname } from "node:os";
import { type Command, Option } from "commander";
import { nodeModules } from "@/app.ts";
import { formatUsdt } from "@/core/money.ts";
import { configKeys, configure } from "@/kernel/config.ts";
import { Kernel } from "@/kernel/kernel.ts";
import type { Services } from "@/kernel/module.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import { absolute, defaultLocations } from "./locations.ts";
import { openLog } from "./logging.ts";
import { collect, type Outcome } from "./options.ts";
import { asTyped, print } from "./output.ts";
import { EXIT, exitCodeOf } from "./refusals.ts";

interface Flags {
  readonly data?: string;
  readonly json?: boolean;
  readonly token?: string;
  readonly name?: string;
  readonly specialization?: string;
  readonly endpoint?: string;
  readonly org?: string;
  readonly meta?: readonly string[];
  readonly payoutAddress?: string;
  readonly rail?: string;
  readonly for?: string;
  readonly off?: boolean;
  readonly yes?: boolean;
  readonly logLevel?: string;
}

type Agent = Services["agent"];
type Standing = Awaited<ReturnType<Agent["standing"]>>;

const DEFAULT_PORT = 50051;
const UNITS_MS: Readonly<Record<string, number>> = { s: 1e3, m: 60e3, h: 3600e3 };

/** The node's own verbs: join, run, status, address, maintenance, leave. */
export function agentCommands(node: Command, outcome: Outcome): void {
  joinCommand(node);
  own(
    node,
    "run",
    "prove this machine's time to its pool until told to stop",
    run,
    outcome,
  ).addOption(
    new Option("--log-level <level>", "how much to log")
      .choices(["debug", "info", "warn", "error"])
      .default("info"),
  );
  own(
    node,
    "status",
    "show this node: connected, slots today, owed, next payout, hold",
    status,
    outcome,
  );
  own(
    node,
    "address <address>",
    "set where this node is paid; a change takes effect after 24 h",
    address,
  )
    .option("--rail <rail>", "the way of paying the address is for", "manual")
    .addHelpText(
      "after",
      "\nExample:\n  galaxy-pool node address 'IBAN DE02 1203 0000 0000 2020 51'",
    );
  own(node, "maintenance", "announce that this node will be away on purpose", maintenance)
    .option("--for <time>", "how long: 30m, 2h", "30m")
    .option("--off", "it is over");
  own(node, "leave", "leave the pool; what is owed stays payable", leave);
}

function joinCommand(node: Command): void {
  own(node, "join <host...>", "join a pool with a token; several addresses are tried in turn", join)
    .requiredOption("--token <token>", "the join token: galaxy-pool token create")
    .option("--name <name>", "what this node is called (default: the token's, or the host's name)")
    .option("--specialization <s>", "what this node is for (default: the token's, or general)")
    .option("--endpoint <url>", "where it serves, if it does: tcp://, http:// or grpc://")
    .option("--org <org>", "the organization it belongs to", "")
    .option("--meta <key=value>", "a fact about this node; repeatable", collect, [])
    .option("--payout-address <address>", "where to be paid")
    .option("--rail <rail>", "the way of paying the address is for", "manual")
    .addHelpText("after", "\nExample:\n  galaxy-pool node join pool.lan --token GP1.…");
}

type Act = (
  agent: Agent,
  flags: Flags,
  words: readonly string[],
  kernel: Kernel,
) => Promise<number>;

function own(node: Command, usage: string, help: string, act: Act, outcome?: Outcome): Command {
  return node
    .command(usage)
    .description(help)
    .option("--data <folder>", "the folder of this node")
    .option("--json", "print JSON")
    .action(async (...given: unknown[]) => {
      const flags = given.at(-2) as Flags;
      const words = given.slice(0, -2).flatMap((word) => word as string | string[]);
      const code = await withAgent(flags, (agent, kernel) => act(agent, flags, words, kernel));
      if (outcome) outcome.code = code;
    });
}

async function withAgent(
  flags: Flags,
  act: (agent: Agent, kernel: Kernel) => Promise<number>,
): Promise<number> {
  const data = absolute(
    flags.data ?? process.env["GALAXY_POOL_DATA"] ?? defaultLocations().nodeData,
  );
  const values = new Map<string, unknown>([
    ["storage.data_dir", data],
    ["logging.level", (flags.logLevel ?? "warn").toUpperCase()],
  ]);
  const configuration = configure(configKeys(nodeModules), [{ origin: () => "flag", values }]);
  const log = openLog(configuration, "error");
  const kernel = await Kernel.start(nodeModules, { log, configuration });
  try {
    return await act(kernel.service("agent"), kernel);
  } finally {
    await kernel.stop();
  }
}

async function join(agent: Agent, flags: Flags, hosts: readonly string[]): Promise<number> {
  const membership = await agent.join({
    addresses: hosts.map(withPort),
    token: flags.token ?? "",
    name: flags.name ?? "",
    hostName: hostname(),
    specialization: flags.specialization ?? "",
    endpoint: flags.endpoint ?? "",
    org: flags.org ?? "",
    metadata: Object.fromEntries((flags.meta ?? []).map(pairOf)),
    tell: (step) => {
      if (!flags.json) console.error(`… ${step}`);
    },
  });
  if (flags.payoutAddress) await agent.setAddress(flags.rail ?? "manual", flags.payoutAddress);
  const { nodeId, poolId, installationId, addresses } = membership;
  if (flags.json) {
    print.json({ node_id: nodeId, pool_id: poolId, installation_id: installationId, addresses });
    return EXIT.done;
  }
  tellJoined(membership, flags);
  return EXIT.done;
}

function tellJoined({ nodeId, poolId }: ReturnType<Agent["membership"]>, flags: Flags): void {
  const same = flags.data === undefined ? "" : ` --data ${asTyped(flags.data)}`;
  print.line(`Joined: node ${nodeId} in pool ${poolId}.`);
  print.line(
    flags.payoutAddress
      ? "The payout address is set."
      : `Set where to be paid: galaxy-pool node address ADDRESS${same}`,
  );
  print.line(`Next: galaxy-pool node run${same}`);
}

async function run(agent: Agent): Promise<number> {
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => agent.stop());
  const ending = await agent.run();
  if (ending === "left") print.line("This node has left its pool.");
  if (ending !== "removed") return EXIT.done;
  throw new PoolError(
    "denied",
    "node.removed",
    "An operator removed this node from its pool. To join again it needs another folder and a new token.",
  );
}

async function status(agent: Agent, flags: Flags): Promise<number> {
  const standing = await agent.standing().catch((error: unknown) => error as Error);
  const known = standing instanceof Error ? undefined : standing;
  const membership = agent.membership();
  const facts = {
    node_id: membership.nodeId,
    pool_id: known?.poolId ?? membership.poolId,
    ...runFacts(agent, standing),
    ...standingFacts(known),
  };
  if (flags.json) print.json(facts);
  else tellStatus(facts);
  return standing instanceof Error ? codeOf(standing) : EXIT.done;
}

function codeOf(error: Error): number {
  return isRefusal(error) ? exitCodeOf(error) : EXIT.fault;
}

function runFacts(agent: Agent, standing: Standing | Error) {
  const state = agent.runState();
  const running = state !== undefined && isAlive(state.pid);
  const problem = standing instanceof Error ? standing.message : running && state.problem;
  return {
    running,
    connected: running && state.connected,
    address: running ? state.address : null,
    problem: problem || null,
  };
}

function standingFacts(known: Standing | undefined) {
  if (!known) return { state: null, slots_today: null };
  const {
    slotsUp: up,
    slotsDown: down,
    slotsUnobserved: unobserved,
    slotsPlanned: planned,
  } = known;
  return {
    state: known.state,
    slots_today: { up, down, unobserved, planned },
    owed_micro_usdt: known.owedMicroUsdt,
    payable_micro_usdt: known.payableMicroUsdt,
    pending_micro_usdt: known.pendingMicroUsdt,
    paid_micro_usdt: known.paidMicroUsdt,
    threshold_micro_usdt: known.thresholdMicroUsdt,
    next_payout_at: timeOrNull(known.nextPayoutAtMs),
    hold: known.hold || null,
    payout_address: known.address?.address || null,
  };
}

function timeOrNull(atMs: bigint): string | null {
  return atMs > 0n ? new Date(Number(atMs)).toISOString() : null;
}

function tellStatus(facts: Readonly<Record<string, unknown>>): void {
  const money = (name: string): string | null => {
    const micro = facts[`${name}_micro_usdt`];
    return typeof micro === "string" && micro !== "" ? `${formatUsdt(BigInt(micro))} USDT` : null;
  };
  const slots = facts["slots_today"] as Record<string, number> | null;
  print.facts([
    ["node", String(facts["node_id"])],
    ["pool", String(facts["pool_id"])],
    [
      "running",
      facts["running"]
        ? facts["connected"]
          ? `yes, connected to ${facts["address"]}`
          : "yes, not connected"
        : "no: galaxy-pool node run",
    ],
    ["state", facts["state"] as string | null],
    [
      "slots today",
      slots &&
        Object.entries(slots)
          .map(([name, count]) => `${count} ${name}`)
          .join(", "),
    ],
    ["owed", money("owed")],
    ["payable", money("payable")],
    ["pending", money("pending")],
    ["paid", money("paid")],
    ["threshold", money("threshold")],
    ["next payout", facts["next_payout_at"] as string | null],
    ["hold", facts["hold"] as string | null],
    ["payout address", facts["payout_address"] as string | null],
    ["problem", facts["problem"] as string | null],
  ]);
}

async function address(
  agent: Agent,
  flags: Flags,
  [text = ""]: readonly string[],
): Promise<number> {
  const set = await agent.setAddress(flags.rail ?? "manual", text);
  const effective = new Date(Number(set.effectiveAtMs)).toISOString();
  if (flags.json)
    print.json({ rail: set.rail, address: set.address, state: set.state, effective_at: effective });
  else print.line(`The payout address is ${set.state}; it is in effect from ${effective}.`);
  return EXIT.done;
}

async function maintenance(agent: Agent, flags: Flags): Promise<number> {
  const untilMs = agent.announceMaintenance(flags.off ? 0 : durationMs(flags.for ?? "30m"));
  const until = untilMs > 0 ? new Date(untilMs).toISOString() : null;
  if (flags.json) print.json({ until });
  else
    print.line(
      until
        ? `Announced with the next heartbeats, until ${until}. Wait for one slot, then stop the node.`
        : "Maintenance is over.",
    );
  return EXIT.done;
}

async function leave(agent: Agent, flags: Flags): Promise<number> {
  const { nodeId, poolId } = await agent.leave();
  if (flags.json) print.json({ node_id: nodeId, pool_id: poolId, state: "left" });
  else print.line(`Node ${nodeId} has left pool ${poolId}. What it is owed stays payable.`);
  return EXIT.done;
}

/** host, host:port, an IPv6 address, or [address]:port. */
function withPort(host: string): string {
  if (/^\[.*\]:\d+$/.test(host) || /^[^:]+:\d+$/.test(host)) return host;
  if (host.startsWith("[")) return `${host}:${DEFAULT_PORT}`;
  return host.includes(":") ? `[${host}]:${DEFAULT_PORT}` : `${host}:${DEFAULT_PORT}`;
}

function pairOf(pair: string): readonly [string, string] {
  const at = pair.indexOf("=");
  if (at > 0) return [pair.slice(0, at), pair.slice(at + 1)];
  throw new PoolError("invalid", "cli.invalid", `--meta ${pair}: write it as key=value.`);
}

function durationMs(text: string): number {
  const match = /^(\d+)([smh])$/.exec(text);
  if (match) return Number(match[1]) * (UNITS_MS[match[2] ?? "s"] ?? 0);
  throw new PoolError("invalid", "cli.invalid", `--for ${text}: write a time like 90s, 30m or 2h.`);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
