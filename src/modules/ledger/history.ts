import { nodeAccount } from "@/core/ledger/account.ts";
import type { LedgerSlot } from "@/core/ledger/ledger-slot.ts";
import { NO_STANDING, type Standing } from "@/core/ledger/standing.ts";
import { nodeTransferId } from "@/core/ledger/transfer.ts";
import type { Database } from "@/ports/database.ts";
import { type NodeAt, readStandings } from "./balances.ts";
import { type Booking, readBookings } from "./bookings.ts";
import { type BookedTransfer, readRareTransfers, readTransfers } from "./transfers.ts";

const TAGS = ["accr", "conv1", "conv2", "fee", "matr", "slsh"] as const;

/** Whose transfers, since when: by slot for what was earned, by time for what was paid. */
export interface HistoryRequest extends NodeAt {
  readonly fromSlot: LedgerSlot;
  readonly fromMs: number;
}

/** A node's transfers from some moment until now, with the bookings they belong to. */
export interface NodeBooks {
  readonly standing: Standing;
  readonly bookings: readonly Booking[];
  readonly transfers: readonly BookedTransfer[];
}

/** A node's standing and transfers, as they are at one moment. */
export async function readBooks(
  database: Database,
  request: HistoryRequest & { readonly unbooked: bigint },
): Promise<NodeBooks> {
  for (;;) {
    const standing = await readStanding(database, request);
    const history = await readHistory(database, request);
    const after = await readStanding(database, request);
    if (Bun.deepEquals(standing, after)) return { standing, ...history };
  }
}

async function readStanding(
  database: Database,
  { pool, node, unbooked }: NodeAt & { readonly unbooked: bigint },
): Promise<Standing> {
  const [standing] = await readStandings(database, [{ pool, node }], () => unbooked);
  return standing ?? NO_STANDING;
}

/**
 * A node's transfers are found without an index: what it earned in a booking has an id that follows
 * from the booking's slot, and payments are few.
 */
async function readHistory(
  database: Database,
  { pool, node, fromSlot, fromMs }: HistoryRequest,
): Promise<Omit<NodeBooks, "standing">> {
  const range = { from: fromSlot, to: Number.MAX_SAFE_INTEGER };
  const bookings = await readBookings(database, pool, range);
  const ids = bookings.flatMap(({ slot }) =>
    TAGS.map((tag) => nodeTransferId({ slot, tag, pool, node })),
  );
  const earned = await readTransfers(database, ids);
  const books = [nodeAccount(pool, node, "owed"), nodeAccount(pool, node, "payable")];
  const rare = await readRareTransfers(database, books);
  const known = new Set(earned.map(({ seq }) => seq));
  const others = rare.filter(({ at, seq }) => at >= fromMs && !known.has(seq));
  const transfers = [...earned, ...others].sort((a, b) => (a.seq < b.seq ? -1 : 1));
  return { bookings, transfers };
}
