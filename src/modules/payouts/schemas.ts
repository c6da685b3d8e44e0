import { t } from "elysia";
import { ADDRESS_MAX } from "@/core/payout/address.ts";
import { REF_MAX } from "@/core/payout/settlement.ts";

const Amount = (description: string) => t.String({ description: `${description} Micro-USDT.` });
const Time = t.String({ format: "date-time" });
const TextOrNull = t.Nullable(t.String());
const Ref = t.String({ minLength: 1, maxLength: REF_MAX });
const ItemId = t.Union([t.Integer({ minimum: 1 }), t.String({ pattern: "^[0-9]{1,9}$" })]);

export const NodeParams = t.Object({ node_id: t.String({ maxLength: 64 }) });
export const BatchParams = t.Object({ batch_id: t.String({ maxLength: 64 }) });
export const PoolQuery = t.Object({
  pool: t.Optional(
    t.String({ maxLength: 64, description: "The pool, if not the one the node is in." }),
  ),
});

export const ProcessAnswer = t.Object({
  batch_id: t.Nullable(
    t.String({ description: "The batch sealed; null when nothing is due or one is still open." }),
  ),
  payouts: t.Integer(),
  total_micro_usdt: Amount("All payments together."),
  batches: t.Array(
    t.Object({
      batch_id: t.String(),
      pool_id: t.String(),
      payouts: t.Integer(),
      total_micro_usdt: Amount("All payments of this batch."),
    }),
    { description: "One batch per pool that pays." },
  ),
});

const PlanItemView = t.Object({
  item_id: t.String(),
  node_id: t.String(),
  pool_id: t.String(),
  address: TextOrNull,
  amount_micro_usdt: Amount("What is payable."),
  fee_bound_micro_usdt: Amount("The most the payment may cost."),
  reason: TextOrNull,
});

export const PlanView = t.Object({
  items: t.Array(PlanItemView, { description: "Who would be paid, the longest due first." }),
  held: t.Array(PlanItemView, { description: "Who would not, and why." }),
  total_micro_usdt: Amount("All payments together."),
  hash: t.String({ description: "SHA-256 of the plan; with several pools, over their hashes." }),
  expires_at: Time,
  plans: t.Array(t.Object({ pool_id: t.String(), hash: t.String(), total_micro_usdt: t.String() })),
});

export const BatchView = t.Object({
  batch_id: t.String(),
  number: t.Integer(),
  pool_id: t.String(),
  state: t.String({ description: "sealed, settled, failed or cancelled." }),
  rail: t.String(),
  asset: t.String(),
  sealed_at: Time,
  ended_at: t.Nullable(Time),
  total_micro_usdt: Amount("All payments together."),
  plan_hash: t.String(),
  file: t.Nullable(
    t.String({ description: "In the data folder; .csv and .sha256 lie beside it." }),
  ),
  sha256: t.String({ description: "Of that file." }),
  reference: TextOrNull,
  items: t.Array(
    t.Object({
      item_id: t.String(),
      node_id: t.String(),
      name: t.String(),
      address: t.String(),
      amount_micro_usdt: Amount("One payment."),
      state: t.String({ description: "pending, posted (paid) or voided." }),
      reference: TextOrNull,
    }),
  ),
});

export const BatchPage = t.Object({ items: t.Array(BatchView), next_cursor: TextOrNull });

export const BatchQuery = {
  state: t.Optional(
    t.Union(
      ["sealed", "settled", "failed", "cancelled"].map((state) => t.Literal(state)),
      { description: "Only batches in this state." },
    ),
  ),
  pool: t.Optional(t.String({ maxLength: 64, description: "Only this pool's." })),
};

export const SettleBody = t.Union([
  t.Object({ ref: Ref }, { description: "All of it was paid, with this reference." }),
  t.Object({
    items: t.Array(
      t.Union([t.Object({ id: ItemId, ref: Ref }), t.Object({ id: ItemId, failed: Ref })]),
      { minItems: 1, maxItems: 1_000, description: "What became of single payments." },
    ),
  }),
]);

export const CancelBody = t.Object({
  not_sent: t.Boolean({ description: "You are sure that nothing of it was or will be sent." }),
  ref: t.Optional(Ref),
});

const AddressPart = {
  rail: t.String(),
  address: t.String(),
};

export const AddressView = t.Object({
  node_id: t.String(),
  pool_id: t.String(),
  state: t.String({ description: "none, confirmed, changing or contested." }),
  rail: TextOrNull,
  address: TextOrNull,
  waiting: t.Nullable(t.Object({ ...AddressPart, effective_at: t.Nullable(Time) })),
  statement_hash: t.String({
    description: "Of the newest statement, hexadecimal: the next one names it.",
  }),
});

export const AddressBody = t.Object({
  statement: t.String({
    maxLength: 4 * ADDRESS_MAX,
    description: "The GPADR1 statement, signed by the node, in base64.",
  }),
});

export const DecisionBody = t.Object({
  choice: t.Union([t.Literal("confirmed"), t.Literal("newest")], {
    description: "The address that held before, or the one the node named last.",
  }),
});

const PaymentsFields = {
  node_id: t.String(),
  pool_id: t.String(),
  name: t.String(),
  state: t.String(),
  owed_micro_usdt: Amount("Everything unpaid."),
  accruing_micro_usdt: Amount("Earned and not yet due."),
  payable_micro_usdt: Amount("May be paid now."),
  pending_micro_usdt: Amount("In an open batch."),
  paid_micro_usdt: Amount("Paid, ever."),
  threshold_micro_usdt: Amount("Paid at this balance, and above."),
  hold: t.Nullable(t.String({ description: "Why it is not paid, whatever it has." })),
  next_payout_at: t.Nullable(
    t.String({ format: "date-time", description: "When, if it goes on as it does now." }),
  ),
};

export const PaymentsPage = t.Object({
  items: t.Array(t.Object(PaymentsFields)),
  next_cursor: TextOrNull,
});

export const PaymentsView = t.Object({
  ...PaymentsFields,
  address: AddressView,
  last_sealed_sha256: TextOrNull,
  history: t.Array(
    t.Object({
      batch_id: t.String(),
      item_id: t.String(),
      amount_micro_usdt: Amount("One payment."),
      rail: t.String(),
      asset: t.String(),
      address: t.String(),
      state: t.String(),
      sealed_at: Time,
      ended_at: t.Nullable(Time),
      reference: TextOrNull,
    }),
  ),
});
