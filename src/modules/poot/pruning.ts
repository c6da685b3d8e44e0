import type { Write } from "@/ports/database.ts";
import { toHex } from "@/std/bytes.ts";
import { storedInterval } from "./history.ts";
import type { PootParts } from "./parts.ts";
import { deleteIntervals, readIntervalsAfter, readLastCursor, saveProof } from "./records.ts";
import type { IntervalRow } from "./table.ts";

const KEPT_MS = 90 * 86_400_000;
const INTERVALS_PER_COMMIT = 32;

/**
 * Old intervals become the newest CLAIM and ACK of each session; none that is not booked goes. The
 * newest of all stays, because the numbers of those to come count on from it.
 */
export async function pruneIntervals(
  { database, clock }: Pick<PootParts, "database" | "clock">,
  bookedUntil: bigint | undefined,
): Promise<void> {
  if (bookedUntil === undefined) return;
  const olderThan = BigInt(clock.now() - KEPT_MS);
  const last = await readLastCursor(database);
  const isKept = ({ id, closed_at }: IntervalRow) =>
    closed_at >= olderThan || id > bookedUntil || id === last;
  for (;;) {
    const rows = await readIntervalsAfter(database, 0n, INTERVALS_PER_COMMIT);
    const kept = rows.findIndex(isKept);
    const old = kept < 0 ? rows : rows.slice(0, kept);
    const newest = old.at(-1);
    if (!newest) return;
    const proofs = newestProofs(old).map((row) => saveProof(database, row));
    const writes: Write[] = [...proofs, deleteIntervals(database, newest.id)];
    await database.commit(writes);
  }
}

function newestProofs(rows: readonly IntervalRow[]) {
  const newest = new Map<string, Parameters<typeof saveProof>[1]>();
  for (const row of rows) {
    const { pool, nodes } = storedInterval(row);
    for (const { node, rows: credits } of nodes) {
      for (const { session, toSlot, claim, ack } of credits) {
        const proof = { pool, node, session, slot: BigInt(toSlot), claim, ack };
        newest.set(`${node} ${toHex(session)}`, proof);
      }
    }
  }
  return [...newest.values()];
}
