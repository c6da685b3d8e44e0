import type { NodeId } from "@/core/ids.ts";
import { balanceOf, nodeAccount } from "@/core/ledger/account.ts";
import { mature } from "@/core/ledger/acts.ts";
import { poolSlotOf } from "@/core/ledger/ledger-slot.ts";
import { slotText, type Transfer } from "@/core/ledger/transfer.ts";
import { type BookerState, slotsText } from "./booker.ts";
import { type Booking, readWaiting, saveMatured } from "./bookings.ts";
import { insertTransfers, readAccounts, readTransfersFrom } from "./transfers.ts";

const NODES_PER_COMMIT = 100;

/** Money that has waited long enough becomes payable, booking by booking. */
export async function matureDue(state: BookerState): Promise<void> {
  const { parts, tariffs } = state;
  const { nowMs, slotSeconds } = parts.poot.poolTime();
  for (const booking of await readWaiting(parts.database)) {
    const endMs = poolSlotOf(booking.endSlot) * slotSeconds * 1000;
    if (endMs + tariffs.maturitySeconds * 1000 > nowMs) continue;
    await matureBooking(state, booking);
  }
}

/** Repeated after a crash, it goes on with the nodes that are left. */
async function matureBooking({ parts }: BookerState, booking: Booking): Promise<void> {
  const { database } = parts;
  const transfers = await maturing({ parts }, booking);
  for (let at = 0; at < transfers.length; at += NODES_PER_COMMIT) {
    await database.commit(insertTransfers(database, transfers.slice(at, at + NODES_PER_COMMIT)));
  }
  await database.commit([saveMatured(database, booking)]);
}

async function maturing(
  { parts }: Pick<BookerState, "parts">,
  booking: Booking,
): Promise<readonly Transfer[]> {
  const { database } = parts;
  const prefix = (tag: string) => `${slotText(booking.slot)}:${tag}:${booking.pool}:`;
  const earned = await readTransfersFrom(database, prefix("conv2"));
  const fees = amountsByNode(await readTransfersFrom(database, prefix("fee")));
  const done = amountsByNode(await readTransfersFrom(database, prefix("matr")));
  const open = earned.filter(({ id }) => !done.has(nodeIn(id)));
  const owed = (node: NodeId) => nodeAccount(booking.pool, node, "owed");
  const accounts = await readAccounts(
    database,
    open.map(({ id }) => owed(nodeIn(id))),
  );
  return open.flatMap(({ id, amount }) => {
    const node = nodeIn(id);
    const account = accounts.get(owed(node));
    const left = account ? balanceOf(account) : 0n;
    const due = amount - (fees.get(node) ?? 0n);
    const { nowMs: at } = parts.poot.poolTime();
    const act = { pool: booking.pool, node, slot: booking.slot, at, ref: slotsText(booking) };
    return mature(act, due < left ? due : left);
  });
}

function amountsByNode(transfers: readonly Transfer[]): ReadonlyMap<NodeId, bigint> {
  return new Map(transfers.map(({ id, amount }) => [nodeIn(id), amount]));
}

/** The node a transfer's id ends with. */
function nodeIn(id: string): NodeId {
  return id.slice(id.lastIndexOf(":") + 1) as NodeId;
}
