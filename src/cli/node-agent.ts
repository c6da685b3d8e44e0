import { type Command, Option } from "commander";
import { formatUsdt } from "@/core/money.ts";
import { toBase64 } from "@/std/bytes.ts";
import { isRefusal } from "@/std/errors.ts";
import { type Agent, type FolderFlags, withAgent } from "./node-folder.ts";
import { type JoinFlags, join, joinTerms } from "./node-join.ts";
import { type RunFlags, runNode } from "./node-run.ts";
import { collect, type Outcome } from "./options.ts";
import { print } from "./output.ts";
import { EXIT, exitCodeOf } from "./refusals.ts";
import { durationMs } from "./times.ts";

interface Flags extends FolderFlags {
  readonly rail?: string;
  readonly for?: string;
  readonly off?: boolean;
}

type Standing = Awaited<ReturnType<Agent["standing"]>>;

/** The node's own verbs: join, run, status, address, maintenance, leave. */
export function agentCommands(node: Command, outcome: Outcome): void {
  joinCommand(node);
  runCommand(node, outcome);
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
  verb(node, "join [host...]", "join a pool with a token; several addresses are tried in turn")
    .option("--token <token>", "the join token: galaxy-pool token create")
    .option("--token-file <file>", "a file that holds the join token")
    .option(
      "--public",
      "join a public pool without a token: prove some work, and be pending at first",
    )
    .option(
      "--pin <fingerprint>",
      "with --public: the pool's CA fingerprint, as its operator tells it",
    )
    .option("--pool <pool>", "with --public: which pool (default: the only public one)")
    .option("--api-key-file <file>", "with --public: an API key (enrolments:write) instead of work")
    .option("--insecure-tofu", "with --public: believe whoever answers, and show the fingerprint")
    .option("--name <name>", "what this node is called (default: the token's, or the host's name)")
    .option("--specialization <s>", "what this node is for (default: the token's, or general)")
    .option("--endpoint <url>", "where it serves, if it does: tcp://, http:// or grpc://")
    .option("--org <org>", "the organization it belongs to", "")
    .option("--meta <key=value>", "a fact about this node; repeatable", collect, [])
    .option("--payout-address <address>", "where to be paid")
    .option("--rail <rail>", "the way of paying the address is for", "manual")
    .option("--same-node", "the board was swapped: go on as the node whose key is in the folder")
    .option("--new-node", "the card was copied: forget the key in the folder, be a node of its own")
    .addHelpText(
      "after",
      `
The host may be written as HOST, HOST:PORT, [IPv6]:PORT, grpc://… or https://…. What is left away is
taken from GALAXY_POOL_URL and GALAXY_POOL_TOKEN.

Examples:
  galaxy-pool node join pool.lan --token GP1.…
  galaxy-pool node join pool.example --public --pin FINGERPRINT
  galaxy-pool node join pool.lan --token-file /run/join-token`,
    )
    .action(async (hosts: readonly string[], flags: JoinFlags) => {
      const terms = joinTerms(flags, hosts);
      await withAgent({ flags }, (agent) => join(agent, flags, terms));
    });
}

function runCommand(node: Command, outcome: Outcome): void {
  verb(node, "run", "prove this machine's time to its pool until told to stop")
    .addOption(
      new Option(
        "--log-level <level>",
        "how much to log (default: what LOG_LEVEL says, or info)",
      ).choices(["debug", "info", "warn", "error"]),
    )
    .action(async (flags: RunFlags) => {
      outcome.isService = true;
      outcome.code = await runNode(flags);
    });
}

type Act = (agent: Agent, flags: Flags, words: readonly string[]) => Promise<number>;

function own(node: Command, usage: string, help: string, act: Act, outcome?: Outcome): Command {
  return verb(node, usage, help).action(async (...given: unknown[]) => {
    const flags = given.at(-2) as Flags;
    const words = given.slice(0, -2).flatMap((word) => word as string | string[]);
    const code = await withAgent({ flags }, (agent) => act(agent, flags, words));
    if (outcome) outcome.code = code;
  });
}

function verb(node: Command, usage: string, help: string): Command {
  return node
    .command(usage)
    .description(help)
    .option("--data <folder>", "the folder of this node")
    .option("--json", "print JSON");
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
    ...auditFacts(agent),
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

/** What this node has witnessed of the pool's audit log. */
function auditFacts(agent: Agent) {
  const { key, checkpoint, acceptedAtMs, alarm } = agent.witnessed();
  const at = acceptedAtMs === undefined ? null : new Date(acceptedAtMs).toISOString();
  return {
    audit_size: checkpoint?.size ?? null,
    audit_origin: checkpoint?.origin ?? null,
    audit_root: checkpoint ? toBase64(checkpoint.root) : null,
    audit_accepted_at: at,
    audit_alarm: alarm ?? null,
    witness_key: key,
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
    [
      "audit log",
      facts["audit_size"] === null
        ? null
        : `${facts["audit_size"]} entries witnessed, since ${facts["audit_accepted_at"]}`,
    ],
    ["witness key", facts["witness_key"] as string],
    ...(facts["audit_alarm"] ? [["AUDIT ALARM", String(facts["audit_alarm"])] as const] : []),
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
  else if (set.effectiveAtMs > 0n)
    print.line(`The payout address is ${set.state}; it is in effect from ${effective}.`);
  else print.line(`The payout address is ${set.state}; it is in effect.`);
  return EXIT.done;
}

async function maintenance(agent: Agent, flags: Flags): Promise<number> {
  const untilMs = agent.announceMaintenance(
    flags.off ? 0 : durationMs("--for", flags.for ?? "30m"),
  );
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

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
