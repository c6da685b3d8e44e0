import { t } from "elysia";

const Amount = (description: string) => t.String({ description: `${description} Micro-USDT.` });
const Time = t.String({ format: "date-time" });
const Moment = (description: string) => t.Optional(t.String({ maxLength: 40, description }));
const Pool = t.Optional(
  t.String({ maxLength: 64, description: "The pool, if it is not the one the node is in." }),
);

export const ExplainQuery = t.Object({
  node: t.Optional(t.String({ maxLength: 64, description: "The node; itself when left out." })),
  pool: Pool,
  from: Moment("RFC 3339 time or date; seven days before the end when left out."),
  to: Moment("RFC 3339 time or date; now when left out. At most 92 days after the beginning."),
});

export const StandingFields = {
  owed_micro_usdt: Amount("Everything unpaid."),
  accruing_micro_usdt: Amount("Earned and not yet due."),
  payable_micro_usdt: Amount("May be paid now."),
  pending_micro_usdt: Amount("In an open batch."),
  paid_micro_usdt: Amount("Paid, ever."),
};

export const ExplainView = t.Object({
  node_id: t.String(),
  pool_id: t.String(),
  from: Time,
  to: Time,
  ...StandingFields,
  opening_micro_usdt: Amount("Owed before the first transfer shown, as far as it was booked."),
  transfers: t.Array(
    t.Object({
      id: t.String(),
      at: Time,
      code: t.String({ description: "What it was for: convert, pool_fee, payout, slash, refund." }),
      kind: t.String({ description: "single, pending, post or void." }),
      amount_micro_usdt: Amount("What it changed in what is owed."),
      balance_micro_usdt: Amount("Owed after it."),
      ref: t.String({ description: "Slots, batch, or the reference of a payment." }),
    }),
  ),
  credits: t.Array(
    t.Object({
      first_slot: t.String({ description: "Of the interval that was closed." }),
      from: Time,
      from_slot: t.String(),
      to_slot: t.String(),
      ticks: t.Integer(),
      weight_permille: t.Integer(),
      health_permille: t.Integer(),
      cu: t.String({ description: "Work credits: ticks × slot seconds × weight × health." }),
      booked: t.Boolean({ description: "Whether it is in the transfers already." }),
      claim_hash: t.String({ description: "SHA-256 of the node's CLAIM, hexadecimal." }),
    }),
  ),
  unexplained: t.Array(t.String(), {
    description: "Bookings that are not the sum of their credits: an error, to be reported.",
  }),
});

export const StatementQuery = t.Object({
  pool: Pool,
  from: Moment("RFC 3339 time or date; the day the node was registered when left out."),
  to: Moment("RFC 3339 time or date; now when left out."),
  format: t.Optional(t.Union([t.Literal("json"), t.Literal("csv")])),
});

export const StatementView = t.Object({
  statement: t.Object({
    format: t.String(),
    pool_id: t.String(),
    pool_key: t.String({ description: "Ed25519, hexadecimal." }),
    node_id: t.String(),
    from: Time,
    to: t.String({
      format: "date-time",
      description: "The period ends where a booking ends; the next one begins here.",
    }),
    opening_micro_usdt: Amount("Owed at the beginning."),
    days: t.Array(
      t.Object({
        day: t.String(),
        cu: t.String(),
        earned_micro_usdt: Amount("Before the pool's fee."),
        fee_micro_usdt: Amount("What the pool kept."),
        claim_hashes: t.Array(t.String()),
      }),
    ),
    tariffs: t.Array(
      t.Object({
        from: Time,
        micro_usdt_per_hour: Amount("For an hour at weight and health 1000."),
        fee_permille: t.Integer(),
        weights_permille: t.Record(t.String(), t.Integer()),
      }),
    ),
    adjustments: t.Array(
      t.Object({
        at: Time,
        code: t.String(),
        amount_micro_usdt: Amount("Signed."),
        ref: t.String(),
      }),
    ),
    payouts: t.Array(
      t.Object({
        at: Time,
        batch: t.String(),
        item: t.Integer(),
        rail: t.String(),
        asset: t.String(),
        amount_micro_usdt: Amount("What was paid."),
        ref: t.String({ description: "The reference of the payment." }),
      }),
    ),
    closing_micro_usdt: Amount("Owed at the end."),
  }),
  sha256: t.String({ description: "Of the statement's canonical JSON (RFC 8785), hexadecimal." }),
  signature: t.String({ description: "Ed25519 of the pool's key over that hash, base64." }),
  audit_checkpoint: t.Union([t.String(), t.Null()], {
    description:
      "The newest checkpoint of the audit log that nodes cosigned, a signed note: keep it, it shows later whether the log was cut or rewritten (audit verify --checkpoint).",
  }),
});
