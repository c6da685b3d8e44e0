import type { Command } from "commander";
import { type NoteKey, parseNoteKey } from "@/core/audit/note.ts";
import { readCheckpoint } from "@/core/audit/restart.ts";
import { type AuditCheck, verifyLog } from "@/core/audit/verify.ts";
import { canonicalJson } from "@/std/canonical-json.ts";
import { PoolError } from "@/std/errors.ts";
import {
  type ActView,
  type CarriedLog,
  fetchLog,
  readCheckpointFile,
  readLog,
  writeLog,
} from "./audit-files.ts";
import { type Client, type ClientFlags, openClient } from "./client.ts";
import { asking, clientOptions, collect, countIn, type Outcome } from "./options.ts";
import { print } from "./output.ts";
import { EXIT } from "./refusals.ts";

interface Flags extends ClientFlags {
  readonly actor?: string;
  readonly action?: string;
  readonly subject?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit?: string;
  readonly reason?: string;
}

interface VerifyFlags extends ClientFlags {
  readonly key?: string;
  readonly witness: readonly string[];
  readonly quorum?: string;
  readonly checkpoint: readonly string[];
}

/** `audit list|verify|export|restart`. */
export function auditCommands(program: Command, outcome: Outcome): void {
  const audit = program.command("audit").description("who did what, and the proof of it");
  asking(audit.command("list").description("list who did what, the newest first"), list)
    .option("--actor <actor>", "who: operator:local, user:NAME, key:ID, system:MODULE, a node's id")
    .option("--action <action>", "what: node.left, or all that begin alike: node.*")
    .option("--subject <id>", "to what: the id of a node, pool, token or batch")
    .option("--from <time>", "RFC 3339 time or date")
    .option("--to <time>", "RFC 3339 time or date")
    .option("--limit <n>", "how many at most", "50");
  verifyCommand(audit, outcome);
  asking(
    audit
      .command("export <folder>")
      .description("write the whole log, its newest cosigned checkpoint and the keys to a folder"),
    exportLog,
  ).addHelpText(
    "after",
    `
What it writes can be checked without this program: entries.jsonl holds one leaf of an RFC 6962 tree a
line, checkpoint.txt the signed root as a C2SP note, keys.txt the key of the log and of its witnesses.

Example:
  galaxy-pool audit export ./audit-2026-11
  galaxy-pool audit verify ./audit-2026-11`,
  );
  asking(
    audit
      .command("restart")
      .description("begin the log anew after a fault; the new one names what was signed before"),
    restart,
  ).requiredOption("--reason <text>", "what was found out; it stays in the log");
}

function verifyCommand(audit: Command, outcome: Outcome): void {
  clientOptions(audit.command("verify [folder]"))
    .description("check the log of the pool, or an exported one offline; exit code 4 if it fails")
    .option("--key <key>", "the key the log must be signed with (default: the one it names itself)")
    .option(
      "--witness <key>",
      "a witness that counts, as `node status` prints it; repeatable",
      collect,
      [],
    )
    .option("--quorum <k>", "how many of them must have cosigned (default: all)")
    .option(
      "--checkpoint <file>",
      "an older checkpoint, export or statement that the log must contain; repeatable",
      collect,
      [],
    )
    .addHelpText(
      "after",
      `
Only an older checkpoint shows that a log was cut or rewritten and signed anew: keep one elsewhere.

Examples:
  galaxy-pool audit verify
  galaxy-pool audit verify ./audit-2026-11 --checkpoint ./audit-2026-10
  galaxy-pool audit verify ./audit-2026-11 --quorum 2 \\
    --witness galaxy-pool.internal/node/xulz…+0a1b2c3d+BE… --witness …`,
    )
    .action(async (folder: string | undefined, flags: VerifyFlags) => {
      outcome.code = await verify(folder, flags);
    });
}

async function list(client: Client, flags: Flags): Promise<void> {
  const { actor, action, subject, from, to } = flags;
  const most = countIn("--limit", flags.limit ?? "50");
  const query = { actor, action, subject, from, to, limit: `${Math.min(500, Math.max(1, most))}` };
  const acts: ActView[] = [];
  for await (const act of client.items<ActView>("/api/v1/audit", query)) {
    if (acts.length >= most) break;
    acts.push(act);
  }
  if (flags.json) {
    print.json({ items: acts });
    return;
  }
  const rows = acts.map((act) => [
    act.number,
    act.at,
    act.actor,
    act.action,
    act.subject,
    canonicalJson(act.detail),
  ]);
  print.table(["number", "at", "actor", "action", "subject", "detail"], rows);
}

async function verify(folder: string | undefined, flags: VerifyFlags): Promise<number> {
  const trust = {
    witnesses: flags.witness.map(witnessIn),
    older: flags.checkpoint.map(readCheckpointFile),
  };
  if (flags.quorum !== undefined && trust.witnesses.length === 0) throw quorumOfNobody();
  const quorum =
    flags.quorum === undefined ? trust.witnesses.length : countIn("--quorum", flags.quorum);
  const log = folder === undefined ? await fetchLog(openClient(flags)) : readLog(folder);
  const key = flags.key === undefined ? log.key : parseNoteKey(flags.key);
  const checks = verifyLog(log, { ...trust, quorum, publicKey: key.publicKey });
  const ok = checks.every((check) => check.ok);
  if (flags.json) print.json({ ok, ...headOf(log), checks });
  else tell(checks, { ok, log, isKeyGiven: flags.key !== undefined });
  return ok ? EXIT.done : EXIT.checkFailed;
}

function quorumOfNobody(): PoolError {
  const message = '--quorum counts those named with --witness; "node status" prints their keys.';
  return new PoolError("invalid", "cli.invalid", message);
}

function witnessIn(text: string): NoteKey {
  const key = parseNoteKey(text);
  if (key.type === "witness") return key;
  throw new PoolError(
    "invalid",
    "cli.invalid",
    `--witness ${text}: this is the key of a log, not of a witness; "node status" prints the right one.`,
  );
}

function headOf(log: CarriedLog) {
  const checkpoint = readCheckpoint(log.checkpoint);
  return { origin: checkpoint?.origin ?? null, size: checkpoint?.size ?? null };
}

interface Told {
  readonly ok: boolean;
  readonly log: CarriedLog;
  readonly isKeyGiven: boolean;
}

function tell(checks: readonly AuditCheck[], { ok, log, isKeyGiven }: Told): void {
  const { origin, size } = headOf(log);
  print.line(`${origin ?? "?"}: ${size ?? "?"} entries`);
  for (const check of checks) print.line(`  ${check.ok ? "ok    " : "FAILED"}  ${check.sentence}`);
  if (!isKeyGiven)
    print.line("  note    The key is the one the log names itself: compare it, or say --key.");
  print.line(ok ? "Everything holds." : "Something does not hold.");
}

async function exportLog(
  client: Client,
  flags: ClientFlags,
  [folder = ""]: readonly string[],
): Promise<void> {
  const log = await fetchLog(client);
  writeLog(folder, log);
  const head = { ...headOf(log), folder, cosignatures: log.witnesses.length };
  if (flags.json) {
    print.json(head);
    return;
  }
  print.line(`${head.size} entries, cosigned by ${head.cosignatures} node(s), are in ${folder}.`);
  print.line(`Check them anywhere: galaxy-pool audit verify ${folder}`);
}

async function restart(client: Client, flags: Flags): Promise<void> {
  const body = { reason: flags.reason };
  const view = await client.json<{ origin: string; size: number }>(
    "POST",
    "/api/v1/audit/restart",
    { body },
  );
  if (flags.json) print.json({ ...view });
  else print.line(`The log began anew as ${view.origin}, with ${view.size} entries.`);
}
