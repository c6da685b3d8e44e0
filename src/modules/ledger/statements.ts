import type { NodeId, PoolId } from "@/core/ids.ts";
import { CU, MICRO_USDT } from "@/core/ledger/account.ts";
import { ledgerSlotMs, ledgerSlotOf } from "@/core/ledger/ledger-slot.ts";
import {
  closeStatement,
  type Statement,
  type StatementAdjustment,
  type StatementDay,
  type StatementPayout,
  type StatementSeal,
  type StatementTariff,
  statementValue,
} from "@/core/ledger/statement.ts";
import type { TransferCode } from "@/core/ledger/transfer.ts";
import { intervalFirstSlot, slotStartMs } from "@/core/poot/slot.ts";
import { toBase64, toHex } from "@/std/bytes.ts";
import { canonicalBytes } from "@/std/canonical-json.ts";
import { sha256 } from "@/std/crypto.ts";
import type { BookerState } from "./booker.ts";
import type { Booking } from "./bookings.ts";
import { readBooks } from "./history.ts";
import type { BookedTransfer } from "./transfers.ts";

/** The asset of the ledger; a rail that pays in another form of it says so in its batch. */
const ASSET = "USDT";
/** A booking covers a day at most; one more is searched for the one a period begins in. */
const BOOKING_MS_MAX = 2 * 86_400_000;

/** Whose statement, at which pool, over which time. */
export interface StatementRequest {
  readonly pool: PoolId;
  readonly node: NodeId;
  readonly fromMs: number;
  readonly toMs: number;
}

/** A statement with the pool's signature. */
export interface SignedStatement {
  readonly statement: Statement;
  readonly seal: StatementSeal;
}

/**
 * The statement of a period. Its ends are moved back to where a booking begins, and to what is
 * closed, so that what it says never changes and the next one begins where it ends.
 */
export async function statementOf(
  state: BookerState,
  request: StatementRequest,
): Promise<SignedStatement> {
  const { parts } = state;
  const { pool, node } = request;
  const { epoch, slotSeconds } = parts.poot.poolTime();
  const searchMs = Math.max(0, request.fromMs - BOOKING_MS_MAX);
  const fromSlot = ledgerSlotOf(epoch, Math.floor(searchMs / (slotSeconds * 1000)));
  const at = { pool, node, fromSlot, fromMs: searchMs, unbooked: 0n };
  const books = await readBooks(parts.database, at);
  const period = periodOf(state, request, books.bookings);
  const changes = changesIn(books.transfers, slotSeconds);
  const later = changes.filter(({ atMs }) => atMs >= period.fromMs);
  const within = later.filter(({ atMs }) => atMs < period.toMs);
  const statement = closeStatement({
    ...period,
    pool,
    poolKey: toHex(parts.registry.getPool(pool).publicKey),
    node,
    opening: books.standing.owed - later.reduce((sum, { change }) => sum + change, 0n),
    days: daysOf(within),
    tariffs: tariffsIn(state, period),
    adjustments: within.flatMap(adjustmentsOf),
    payouts: within.flatMap(payoutsOf),
  });
  const hash = sha256(canonicalBytes(statementValue(statement)));
  const signature = toBase64(parts.authority.poolKey(pool).sign(hash));
  return { statement, seal: { sha256: toHex(hash), signature } };
}

interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

function periodOf(
  state: BookerState,
  { pool, fromMs, toMs }: StatementRequest,
  bookings: readonly Booking[],
): Period {
  const { slotSeconds } = state.parts.poot.poolTime();
  const settledMs = settledUntilMs(state, pool, bookings);
  const snapped = (ms: number) => {
    const isAcross = ({ slot, endSlot }: Booking) =>
      ledgerSlotMs(slot, slotSeconds) < ms && ms < ledgerSlotMs(endSlot, slotSeconds);
    const across = bookings.find(isAcross);
    return across ? ledgerSlotMs(across.slot, slotSeconds) : ms;
  };
  const from = snapped(Math.min(fromMs, settledMs));
  return { fromMs: from, toMs: Math.max(from, snapped(Math.min(toMs, settledMs))) };
}

/** Before this nothing is added any more: every interval is closed, and every credit is booked. */
function settledUntilMs(
  { parts, unbooked }: BookerState,
  pool: PoolId,
  bookings: readonly Booking[],
): number {
  const { slotSeconds, slotsPerInterval, slot } = parts.poot.poolTime();
  const waiting = unbooked.intervals.find((one) => one.pool === pool && one.hasCredits);
  if (waiting) return ledgerSlotMs(waiting.slot, slotSeconds);
  if (parts.poot.intervalsBehind() === 0) {
    return slotStartMs(intervalFirstSlot(slot, slotsPerInterval), slotSeconds);
  }
  return ledgerSlotMs(bookings.at(-1)?.endSlot ?? 0, slotSeconds);
}

/** What a transfer changes in what is owed, and when: earnings when they began, the rest when booked. */
interface Change {
  readonly atMs: number;
  readonly change: bigint;
  readonly transfer: BookedTransfer;
}

/** What the codes of transfers do to what is owed; what is not here moves only within it. */
const SIGNS: Partial<Readonly<Record<TransferCode, bigint>>> = {
  accrue: 0n,
  convert: 1n,
  pool_fee: -1n,
  slash: -1n,
  payout: -1n,
  refund: 1n,
};
const EARNING: readonly TransferCode[] = ["accrue", "convert", "pool_fee"];

function changesIn(transfers: readonly BookedTransfer[], slotSeconds: number): readonly Change[] {
  return transfers.flatMap((transfer): readonly Change[] => {
    const { id, code, kind, amount, ledger, at } = transfer;
    const sign = SIGNS[code];
    if (sign === undefined || kind === "pending" || kind === "void") return [];
    const slot = Number.parseInt(id, 10);
    const atMs = EARNING.includes(code) ? ledgerSlotMs(slot, slotSeconds) : at;
    return [{ atMs, change: ledger === CU ? 0n : sign * amount, transfer }];
  });
}

function daysOf(changes: readonly Change[]): readonly StatementDay[] {
  const days = new Map<string, StatementDay>();
  for (const { atMs, transfer } of changes) {
    const { code, ledger, amount, ref } = transfer;
    const day = new Date(atMs).toISOString().slice(0, 10);
    const known = days.get(day) ?? { day, cu: 0n, earned: 0n, fee: 0n, claims: [] };
    if (code === "accrue") {
      days.set(day, { ...known, cu: known.cu + amount, claims: [...known.claims, ref] });
    }
    if (code === "convert" && ledger === MICRO_USDT) {
      days.set(day, { ...known, earned: known.earned + amount });
    }
    if (code === "pool_fee") days.set(day, { ...known, fee: known.fee + amount });
  }
  return [...days.values()].sort((a, b) => (a.day < b.day ? -1 : 1));
}

function adjustmentsOf({ atMs, change, transfer }: Change): readonly StatementAdjustment[] {
  const { code, ref } = transfer;
  return code === "slash" || code === "refund" ? [{ atMs, code, amount: change, ref }] : [];
}

function payoutsOf({ atMs, transfer }: Change): readonly StatementPayout[] {
  const { id, code, to, amount, ref } = transfer;
  if (code !== "payout") return [];
  const [, , batch = "", item = ""] = id.split(":");
  const rail = to.slice(to.lastIndexOf(":") + 1);
  return [{ atMs, batch, item: Number(item), rail, asset: ASSET, amount, ref }];
}

function tariffsIn(
  { parts, tariffs }: BookerState,
  { fromMs, toMs }: Period,
): readonly StatementTariff[] {
  const { slotSeconds } = parts.poot.poolTime();
  const all = tariffs.all.map(({ fromSlot, ...terms }) => {
    return { ...terms, fromMs: ledgerSlotMs(fromSlot, slotSeconds) };
  });
  const first = all.findLastIndex((tariff) => tariff.fromMs <= fromMs);
  return all.slice(Math.max(0, first)).filter((tariff) => tariff.fromMs < toMs || toMs === fromMs);
}
