import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseCheckpoint } from "@/core/audit/checkpoint.ts";
import { entryLine, type ShownEntry } from "@/core/audit/entry.ts";
import { formatNoteKey, type NoteKey, parseNoteKey } from "@/core/audit/note.ts";
import type { ExportedLog } from "@/core/audit/verify.ts";
import { PoolError } from "@/std/errors.ts";
import type { Client } from "./client.ts";
import { writeWholeFile } from "./whole-file.ts";

const ENTRIES = "entries.jsonl";
const CHECKPOINT = "checkpoint.txt";
const KEYS = "keys.txt";

/** A whole log, with the keys it says it is signed with. */
export interface CarriedLog extends ExportedLog {
  readonly key: NoteKey;
  readonly witnesses: readonly NoteKey[];
}

/** An act as the pool shows it. */
export interface ActView extends ShownEntry {
  readonly leaf: number | null;
}

interface CheckpointView {
  readonly size: number;
  readonly note: string;
  readonly key: string;
  readonly cosigned_by: readonly { readonly key: string }[];
}

/** Fetches the log up to the newest checkpoint that witnesses cosigned, or the newest at all. */
export async function fetchLog(client: Client): Promise<CarriedLog> {
  const query = { which: "cosigned" };
  const view = await client.json<CheckpointView>("GET", "/api/v1/audit/checkpoint", { query });
  const lines: string[] = [];
  for await (const act of client.items<ActView>("/api/v1/audit", { order: "oldest" })) {
    if (act.leaf !== null && act.leaf < view.size) lines[act.leaf] = entryLine(act);
  }
  return {
    lines: Array.from(lines, (line) => line ?? ""),
    checkpoint: view.note,
    key: parseNoteKey(view.key),
    witnesses: view.cosigned_by.map(({ key }) => parseNoteKey(key)),
  };
}

/** Writes a log into a folder: one entry a line, the signed note, and one key a line. */
export function writeLog(folder: string, log: CarriedLog): void {
  if (existsSync(join(folder, CHECKPOINT))) throw alreadyThere(folder);
  const keys = [log.key, ...log.witnesses].map(formatNoteKey);
  try {
    writeWholeFile(join(folder, ENTRIES), linesOf(log.lines));
    writeWholeFile(join(folder, KEYS), linesOf(keys));
    writeWholeFile(join(folder, CHECKPOINT), log.checkpoint);
  } catch (error) {
    throw unwritable(folder, error);
  }
}

/** Reads what `writeLog` wrote. */
export function readLog(folder: string): CarriedLog {
  const [key, ...witnesses] = textLines(join(folder, KEYS)).map(parseNoteKey);
  if (key?.type !== "log") throw unreadable(folder, `${KEYS} does not begin with a log's key`);
  const lines = textLines(join(folder, ENTRIES));
  return { lines, checkpoint: textOf(join(folder, CHECKPOINT)), key, witnesses };
}

/** An older checkpoint: the note alone, an export, or a statement that carries one. */
export function readCheckpointFile(path: string): string {
  const inFolder = join(path, CHECKPOINT);
  const text = textOf(existsSync(inFolder) ? inFolder : path);
  if (!text.trimStart().startsWith("{")) {
    parseCheckpoint(text);
    return text;
  }
  const { audit_checkpoint: carried } = JSON.parse(text) as { audit_checkpoint?: string | null };
  if (typeof carried === "string") return carried;
  throw unreadable(path, "it carries no checkpoint");
}

function linesOf(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join("");
}

function textLines(path: string): string[] {
  const text = textOf(path);
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    throw unreadable(path, error instanceof Error ? error.message : String(error));
  }
}

function unreadable(path: string, why: string): PoolError {
  return new PoolError(
    "not_found",
    "audit.unreadable",
    `${path} cannot be read as an exported log: ${why}. Make one with "galaxy-pool audit export FOLDER".`,
  );
}

function unwritable(folder: string, error: unknown): PoolError {
  const why = error instanceof Error ? error.message : String(error);
  const message = `The log cannot be written into ${folder}: ${why}. Name a folder you may write to, with room for it.`;
  return new PoolError("precondition", "audit.unwritable", message, {}, error);
}

function alreadyThere(folder: string): PoolError {
  return new PoolError(
    "exists",
    "audit.already_there",
    `${folder} holds an exported log already; name another folder.`,
  );
}
