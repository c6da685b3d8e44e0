import type { NodeId, PoolId } from "@/core/ids.ts";
import type { Node } from "@/core/node.ts";
import { decodeAck } from "@/core/poot/ack.ts";
import { decodeClaim } from "@/core/poot/claim.ts";
import type { Proof, ProofInterval } from "@/core/poot/proof.ts";
import type { Slot } from "@/core/poot/slot.ts";
import { countStates, type SlotStates } from "@/core/poot/slot-state.ts";
import { addCounts, recoverSlots } from "@/core/poot/uptime.ts";
import { PoolError } from "@/std/errors.ts";
import { type NodeInterval, nodeIntervals, storedInterval } from "./history.ts";
import type { PootState } from "./parts.ts";
import { readIntervalRow, readKeptProof, readOpen } from "./records.ts";

/** What a node's proof is asked for: at which pool, and which intervals of it. */
export interface ProofRequest {
  readonly node: Node;
  readonly pool: PoolId;
  readonly from: Slot;
  readonly to: Slot;
}

/** The messages of the newest credited row. */
export interface NewestProof {
  readonly open: Uint8Array | undefined;
  readonly claim: Uint8Array;
  readonly ack: Uint8Array;
}

/** A line of the interval table, with its slots. */
export interface TableRow extends ProofInterval {
  readonly slots: SlotStates | undefined;
}

/** What people see of a node's time at a pool. */
export interface NodeTime {
  readonly newest: NewestProof | undefined;
  readonly creditTotal: number;
  readonly rows: readonly TableRow[];
}

/** A node's interval table in a range, and its newest proof. */
export async function nodeTime(state: PootState, request: ProofRequest): Promise<NodeTime> {
  const { database } = state.parts;
  const { node, pool } = request;
  const intervals = await nodeIntervals(database, request, node.id);
  const newest = await newestProof(state, pool, node.id);
  const creditTotal = state.pools.get(pool)?.books.get(node.id)?.marks.creditTotal ?? 0;
  return { newest, creditTotal, rows: intervals.map(tableRow) };
}

/** The verifiable proof; refuses where there is nothing to prove yet (`poot.no_proof`). */
export async function proofOf(state: PootState, request: ProofRequest): Promise<Proof> {
  const { registry, settings } = state.parts;
  const { newest, rows } = await nodeTime(state, request);
  const poolKey = registry.findPool(request.pool)?.publicKey;
  if (!newest?.open || !poolKey) throw noProof(request.node.id);
  const { open, claim, ack } = newest;
  const { creditTotal } = decodeAck(ack);
  const intervals = rows.map(({ slots: _, ...row }) => row);
  return {
    poolKey,
    nodeKey: decodeClaim(claim).nodeKey,
    slotSeconds: settings.slotSeconds,
    slotsPerInterval: settings.slotsPerInterval,
    open,
    claim,
    ack,
    creditTotal,
    isComplete: intervals.reduce((sum, row) => sum + row.ticks, 0) === creditTotal,
    intervals,
  };
}

async function newestProof(
  state: PootState,
  pool: PoolId,
  node: NodeId,
): Promise<NewestProof | undefined> {
  const { database } = state.parts;
  const creditedIn = state.pools.get(pool)?.books.get(node)?.creditedIn ?? 0;
  const row = await readIntervalRow(database, BigInt(creditedIn));
  const [entry] = row ? storedInterval(row, node).nodes : [];
  const newest = entry?.rows.at(-1) ?? (await readKeptProof(database, node, pool));
  if (!newest) return undefined;
  const open = await readOpen(database, node, newest.session);
  return { open, claim: newest.claim, ack: newest.ack };
}

/** Slots the pool did not look at have no line of their own; those shown UP later are counted here. */
function tableRow({ epoch, firstSlot, slots, recovered, rows }: NodeInterval): TableRow {
  const counts = recoverSlots(addCounts([countStates(slots?.states ?? [])]), recovered);
  const ticks = rows.reduce((sum, row) => sum + row.ticks, 0);
  return { ...counts, epoch, firstSlot, ticks, recovered, slots };
}

const noProof = (node: NodeId) =>
  new PoolError(
    "not_found",
    "poot.no_proof",
    `Node ${node} has no credited session with an OPEN at this pool yet; ask again after an interval.`,
  );
