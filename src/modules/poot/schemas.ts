import { t } from "elysia";

const time = t.String({ format: "date-time" });
const bytes = t.Nullable(t.String({ description: "base64" }));
const count = t.Integer({ minimum: 0 });
const counts = { up: count, down: count, unobserved: count, planned: count };

export const TimeQuery = t.Object({
  from: t.Optional(
    t.String({ format: "date-time", description: "A day before the end, unless stated." }),
  ),
  to: t.Optional(t.String({ format: "date-time", description: "Now, unless stated." })),
  pool: t.Optional(t.String({ maxLength: 64, description: "Another pool the node was in." })),
  format: t.Optional(
    t.String({ enum: ["json", "file"], description: "file: a proof to check offline." }),
  ),
});

export const NodeTimeView = t.Object({
  node_id: t.String(),
  pool_id: t.String(),
  node_key: t.String(),
  slot_seconds: count,
  slots_per_interval: count,
  credit_total: t.Integer({ description: "Ticks this pool has ever credited to the node." }),
  open: bytes,
  claim: bytes,
  ack: bytes,
  today: t.Object({ ...counts, uptime_permille: t.Nullable(t.Integer()) }),
  from: time,
  to: time,
  intervals: t.Array(
    t.Object({
      epoch: count,
      first_slot: count,
      begins_at: time,
      from_slot: count,
      slots: t.String({ description: "U up, D down, ? unobserved, P planned, from from_slot on." }),
      ...counts,
      ticks: count,
      recovered: t.Integer({
        description: "Earlier unobserved slots shown to be up, place unknown.",
      }),
    }),
  ),
});

export const CalculateBody = t.Object({
  node_id: t.Optional(t.String({ maxLength: 64 })),
  pool_id: t.Optional(t.String({ maxLength: 64, description: "Needed when there are several." })),
  from: t.Optional(time),
  to: t.Optional(time),
});

const Work = t.Object({ ticks: count, cu: t.String({ description: "Work credits." }) });

export const CalculationView = t.Object({
  pool_id: t.String(),
  node_id: t.Nullable(t.String()),
  intervals: count,
  stored: Work,
  recomputed: Work,
  ledger: t.Nullable(
    t.Object({ recomputed_micro_usdt: t.String(), ledger_micro_usdt: t.String() }),
  ),
  equal: t.Boolean(),
  differences: t.Array(
    t.Object({
      node_id: t.String(),
      begins_at: time,
      stored_ticks: count,
      recomputed_ticks: count,
    }),
  ),
});

export const ClockView = t.Object({
  pool_time: time,
  slot: count,
  epoch: count,
  trusted: t.Boolean(),
  reason: t.Nullable(t.String()),
});
