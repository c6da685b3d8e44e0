import { isRefusal } from "@/std/errors.ts";
import {
  formatCheckpoint,
  isCheckpointOf,
  parseCheckpoint,
  type SignedCheckpoint,
} from "./checkpoint.ts";

/** The act that begins a log anew; its detail names the newest checkpoint known of the one before. */
export const RESTARTED = "audit.restarted";
/** The act that records a checkpoint of an earlier log which turned up later than its restart. */
export const RECALLED = "audit.recalled";

/** What a restart says of the log before it. */
export function restartDetail(reason: string, old: SignedCheckpoint) {
  const { signatures } = old.note;
  const own = signatures.filter(({ name }) => name === old.origin);
  const note = { ...old.note, signatures: own };
  return { reason, checkpoint: formatCheckpoint({ ...old, note }) };
}

/**
 * The old checkpoint an entry names, when it is a restart or a recall and the log's key signed what
 * it names; undefined for every other entry.
 */
export function namedCheckpoint(
  line: string | Uint8Array,
  publicKey: Uint8Array,
): SignedCheckpoint | undefined {
  const text = typeof line === "string" ? line : new TextDecoder().decode(line);
  const entry = fieldsOf(text);
  if (entry?.["action"] !== RESTARTED && entry?.["action"] !== RECALLED) return undefined;
  const detail = entry["detail"] as Readonly<Record<string, unknown>> | null;
  const note = typeof detail === "object" ? detail?.["checkpoint"] : undefined;
  const checkpoint = typeof note === "string" ? readCheckpoint(note) : undefined;
  return checkpoint && isCheckpointOf(checkpoint, publicKey) ? checkpoint : undefined;
}

/** A checkpoint, or undefined where there is none. */
export function readCheckpoint(text: string): SignedCheckpoint | undefined {
  try {
    return parseCheckpoint(text);
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return undefined;
  }
}

function fieldsOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    const isObject = typeof value === "object" && value !== null;
    return isObject ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
