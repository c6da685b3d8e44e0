import { type Selectable, sql } from "kysely";
import type { Account, AccountId, Guard, LedgerNumber } from "@/core/ledger/account.ts";
import { accountsTouched } from "@/core/ledger/ledger.ts";
import {
  isSameTransfer,
  TRANSFER_KINDS,
  type Transfer,
  type TransferCode,
} from "@/core/ledger/transfer.ts";
import type { Database, Write } from "@/ports/database.ts";
import { assert } from "@/std/assert.ts";
import { PoolError } from "@/std/errors.ts";
import type { AccountRow, TransferRow } from "./table.ts";

/** Rows per statement: few statements, and few different ones. */
const ROWS_PER_WRITE = 40;
const IDS_PER_READ = 500;

/** A transfer with its place in the order of bookings. */
export interface BookedTransfer extends Transfer {
  readonly seq: bigint;
}

/** Books transfers, in order, with the accounts they need; a known id refuses the commit. */
export function insertTransfers(database: Database, transfers: readonly Transfer[]): Write[] {
  const accounts = parts(accountsTouched(transfers)).map((part): Write => {
    const insert = database.sql.insertInto("account").values(part.map(accountRow));
    return { query: insert.onConflict((conflict) => conflict.column("id").doNothing()).compile() };
  });
  const booked = parts(transfers).map((part): Write => {
    const query = database.sql.insertInto("transfer").values(part.map(transferRow)).compile();
    return { query, rows: part.length, refusal: transferExists(part) };
  });
  return [...accounts, ...booked];
}

/**
 * The transfers of a list that are not booked yet. One that is booked with other content is refused
 * (`ledger.transfer_differs`), as core's ledger does.
 */
export async function unknownOf(
  database: Database,
  transfers: readonly Transfer[],
): Promise<readonly Transfer[]> {
  const ids = transfers.map(({ id }) => id);
  const known = new Map((await readTransfers(database, ids)).map((booked) => [booked.id, booked]));
  return transfers.filter((transfer) => {
    const booked = known.get(transfer.id);
    if (booked && !isSameTransfer(booked, transfer)) throw transferDiffers(transfer.id);
    return !booked;
  });
}

/** Transfers by their ids, in the order they were booked. */
export async function readTransfers(
  database: Database,
  ids: readonly string[],
): Promise<readonly BookedTransfer[]> {
  const found: BookedTransfer[] = [];
  for (let at = 0; at < ids.length; at += IDS_PER_READ) {
    const part = ids.slice(at, at + IDS_PER_READ);
    const query = database.sql.selectFrom("transfer").selectAll().where("id", "in", part);
    for (const row of await query.execute()) found.push(transferOf(row));
  }
  return found.sort(bySeq);
}

/** Transfers whose id begins with a text, in the order of ids. */
export async function readTransfersFrom(
  database: Database,
  prefix: string,
): Promise<readonly BookedTransfer[]> {
  assert(prefix.endsWith(":"), "a prefix of ids ends where a part does");
  const rows = await database.sql
    .selectFrom("transfer")
    .selectAll()
    .where("id", ">=", prefix)
    .where("id", "<", `${prefix.slice(0, -1)};`)
    .orderBy("id")
    .execute();
  return rows.map(transferOf);
}

/** What was paid or taken from accounts, and what came back: rare, so it has an index of its own. */
export async function readRareTransfers(
  database: Database,
  accounts: readonly AccountId[],
): Promise<readonly BookedTransfer[]> {
  const transfers = database.sql.selectFrom("transfer").selectAll();
  const taken = transfers
    .where(sql<boolean>`code in ('payout', 'slash')`)
    .where("from_account", "in", accounts);
  const refunded = transfers
    .where(sql<boolean>`code = 'refund'`)
    .where("to_account", "in", accounts);
  const rows = [...(await taken.execute()), ...(await refunded.execute())];
  return rows.map(transferOf).sort(bySeq);
}

/** All transfers after one of them, a page in the order they were booked. */
export async function readTransfersAfter(
  database: Database,
  seq: bigint,
  limit: number,
): Promise<readonly BookedTransfer[]> {
  const query = database.sql.selectFrom("transfer").selectAll().where("seq", ">", seq);
  const rows = await query.orderBy("seq").limit(limit).execute();
  return rows.map(transferOf);
}

/** Accounts by their ids; those never opened are left out. */
export async function readAccounts(
  database: Database,
  ids: readonly AccountId[],
): Promise<ReadonlyMap<AccountId, Account>> {
  const accounts = new Map<AccountId, Account>();
  for (let at = 0; at < ids.length; at += IDS_PER_READ) {
    const part = ids.slice(at, at + IDS_PER_READ);
    const query = database.sql.selectFrom("account").selectAll().where("id", "in", part);
    for (const row of await query.execute()) accounts.set(row.id as AccountId, accountOf(row));
  }
  return accounts;
}

/** An account as its row says. */
export function accountOf(row: AccountRow): Account {
  const { id, ledger, kind, guard, dp, dq, cp, cq } = row;
  return {
    id: id as AccountId,
    ledger: Number(ledger) as LedgerNumber,
    kind,
    guard: Number(guard) as Guard,
    dp,
    dq,
    cp,
    cq,
  };
}

function transferOf(row: Selectable<TransferRow>): BookedTransfer {
  const kind = TRANSFER_KINDS[Number(row.kind)];
  assert(kind, "a stored transfer has one of four kinds");
  const transfer = {
    seq: row.seq,
    id: row.id,
    ledger: Number(row.ledger) as LedgerNumber,
    from: row.from_account as AccountId,
    to: row.to_account as AccountId,
    amount: row.amount,
    kind,
    code: row.code as TransferCode,
    ref: row.ref,
    at: Number(row.at),
  };
  return row.pending_id === null ? transfer : { ...transfer, pendingId: row.pending_id };
}

function accountRow({ id, ledger, kind, guard, dp, dq, cp, cq }: Account): AccountRow {
  return { id, ledger: BigInt(ledger), kind, guard: BigInt(guard), dp, dq, cp, cq };
}

function transferRow(transfer: Transfer) {
  const { id, ledger, from, to, amount, kind, pendingId, code, ref, at } = transfer;
  return {
    id,
    ledger: BigInt(ledger),
    from_account: from,
    to_account: to,
    amount,
    kind: BigInt(TRANSFER_KINDS.indexOf(kind)),
    pending_id: pendingId ?? null,
    code,
    ref,
    at: BigInt(at),
  };
}

function bySeq(a: BookedTransfer, b: BookedTransfer): number {
  return a.seq < b.seq ? -1 : 1;
}

function parts<T>(list: readonly T[]): readonly (readonly T[])[] {
  const found: T[][] = [];
  for (let at = 0; at < list.length; at += ROWS_PER_WRITE) {
    found.push(list.slice(at, at + ROWS_PER_WRITE));
  }
  return found;
}

const transferExists = (transfers: readonly Transfer[]) =>
  new PoolError(
    "conflict",
    "ledger.booked_already",
    "A transfer of this change is booked already; nothing was changed. Read again and repeat.",
    { from: transfers[0]?.id },
  );

const transferDiffers = (id: string) =>
  new PoolError(
    "exists",
    "ledger.transfer_differs",
    `Transfer ${id} is booked with other content; nothing was changed. Compare both before going on.`,
    { transfer: id },
  );
