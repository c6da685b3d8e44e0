import { create } from "@bufbuild/protobuf";
import { type Caller, denied, unauthenticated } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import type { Poot } from "@/modules/poot/service.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Call, ServiceRpcs } from "@/ports/grpc.ts";
import {
  type PayoutAddress,
  PayoutAddressSchema,
  type Registry as RegistryService,
  type Standing,
  StandingSchema,
} from "@/proto/registry_pb.ts";
import type { AddressStanding } from "./addresses.ts";
import type { Payouts } from "./service.ts";

/** What the calls work with. */
interface PayoutRpcParts {
  readonly payouts: Payouts;
  readonly registry: Registry;
  readonly poot: Poot;
}

/** The calls of galaxy.pool.v1.Registry about a node's money. */
export function payoutRpcs(parts: PayoutRpcParts): ServiceRpcs<typeof RegistryService> {
  return {
    async setPayoutAddress({ statement }, call) {
      return wireAddress(await parts.payouts.addresses.set(callerOf(call), statement));
    },
    async getStanding(_, call) {
      return standingOf(parts, itself(call));
    },
  };
}

async function standingOf(
  { payouts, registry, poot }: PayoutRpcParts,
  id: NodeId,
): Promise<Standing> {
  const node = registry.getNode(id);
  const payments = await payouts.paymentsOf(id, node.pool);
  const { standing } = payments;
  const slots = poot.today(id);
  return create(StandingSchema, {
    nodeId: id,
    poolId: node.pool,
    state: node.state,
    slotsUp: slots.up,
    slotsDown: slots.down,
    slotsUnobserved: slots.unobserved,
    slotsPlanned: slots.planned,
    owedMicroUsdt: `${standing.owed}`,
    payableMicroUsdt: `${standing.payable}`,
    pendingMicroUsdt: `${standing.pending}`,
    paidMicroUsdt: `${standing.paid}`,
    thresholdMicroUsdt: `${payments.thresholdMicro}`,
    nextPayoutAtMs: BigInt(payments.nextAtMs ?? 0),
    hold: payments.holds.join(", "),
    address: wireAddress(await payouts.addresses.find(node.pool, id)),
    poolTimeMs: BigInt(poot.poolTime().nowMs),
  });
}

/** The address as it was said last; before the first the hash is 32 zeros, as the first names it. */
function wireAddress({ book, state, newest }: AddressStanding): PayoutAddress {
  const shown = book.waiting ?? book.confirmed;
  return create(PayoutAddressSchema, {
    rail: shown?.rail ?? "",
    address: shown?.address ?? "",
    state: state === "none" ? "" : state,
    effectiveAtMs: BigInt(book.contested ? 0 : (book.effectiveAt ?? 0)),
    statementHash: newest,
  });
}

function callerOf(call: Call): Caller {
  if (!call.caller) throw unauthenticated();
  return call.caller;
}

function itself(call: Call): NodeId {
  const { node } = callerOf(call);
  if (node === undefined) throw denied("do what only a node does");
  return node;
}
