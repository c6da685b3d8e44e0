import { t } from "elysia";

const Text = (description: string, maxLength = 300) =>
  t.Optional(t.String({ maxLength, description }));
const Count = (description: string) => t.Optional(t.Integer({ minimum: 0, description }));
const Hash = (description: string) => t.String({ description: `${description} Base64.` });

export const ActsQuery = {
  actor: Text("Who: operator:local, user:<name>, key:<id>, system:<module> or a node's id."),
  action: Text("What: node.left, or all that begin alike: node.*"),
  subject: Text("To what it was done: the id of a node, pool, token, batch."),
  from: Text("RFC 3339 time or date; acts from then on.", 40),
  to: Text("RFC 3339 time or date; acts before then.", 40),
  order: t.Optional(
    t.Union([t.Literal("newest"), t.Literal("oldest")], {
      description: "newest first, unless said otherwise.",
    }),
  ),
};

const ActView = t.Object({
  number: t.String({ description: "The row's number; numbers rise and may leave gaps." }),
  leaf: t.Union([t.Integer(), t.Null()], {
    description: "Its place in the log; null until the next checkpoint.",
  }),
  at: t.String({ description: "RFC 3339 time." }),
  actor: t.String(),
  action: t.String(),
  subject: t.String(),
  detail: t.Unknown({ description: "What else is to be said of the act; never a secret." }),
});

export const ActsView = t.Object({
  items: t.Array(ActView),
  next_cursor: t.Union([t.String(), t.Null()]),
});

export const CheckpointQuery = t.Object({
  which: t.Optional(
    t.Union([t.Literal("newest"), t.Literal("cosigned")], {
      description:
        "The newest, or the newest that a witness cosigned (the newest at all when there is none).",
    }),
  ),
  format: t.Optional(
    t.Union([t.Literal("json"), t.Literal("note")], {
      description: "note: the signed note itself, as text.",
    }),
  ),
});

export const CheckpointView = t.Object({
  origin: t.String({ description: "Which log; a log that had to begin anew is another." }),
  size: t.Integer({ description: "How many entries." }),
  root: Hash("The root of the tree (RFC 6962)."),
  note: t.String({ description: "The signed note (C2SP tlog-checkpoint), with its cosignatures." }),
  key: t.String({ description: "The key of the log, as verifiers of notes take it." }),
  cosigned_by: t.Array(
    t.Object({
      node_id: t.String(),
      key: t.String({ description: "The key of the witness, as verifiers take it." }),
      at: t.String({ format: "date-time" }),
    }),
  ),
  fault: t.Union([t.String(), t.Null()], { description: "Why nothing is signed any more." }),
});

export const ProofQuery = t.Object({
  index: Count("A leaf: the proof is of inclusion."),
  from: Count("An earlier size: the proof is of consistency."),
  size: Count("The size of the tree; of the newest checkpoint when left out."),
});

export const ProofView = t.Object({
  type: t.String({ description: "inclusion or consistency." }),
  origin: t.String(),
  index: t.Optional(t.Integer()),
  from: t.Optional(t.Integer()),
  size: t.Integer(),
  leaf_hash: t.Optional(Hash("SHA-256 of 0x00 and the entry's canonical JSON.")),
  root: Hash("The root at this size."),
  proof: t.Array(Hash("The hashes of RFC 9162, in order.")),
});

export const RestartBody = t.Object({
  reason: t.String({
    minLength: 3,
    maxLength: 300,
    description: "What was found out; it stands in the first entry of the new log.",
  }),
});
