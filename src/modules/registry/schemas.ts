import { t } from "elysia";
import { PICK_POLICIES } from "@/core/discovery.ts";
import { NODE_STATES } from "@/core/node.ts";
import { ALLOWED_ORGS_MAX, POOL_KINDS, VISIBILITIES } from "@/core/pool.ts";

const words = (list: readonly string[], description: string) =>
  t.String({ enum: [...list], description });
const text = (description: string, maxLength = 512) => t.String({ maxLength, description });
const time = t.String({ format: "date-time" });

const Metadata = t.Record(t.String({ maxLength: 64 }), t.String({ maxLength: 1_024 }), {
  description: "Up to 16 words about the node: keys up to 32 characters, values up to 256.",
});
const Endpoint = text("tcp://host:port, http://host:port/path or grpc://host:port.");
const Specialization = text("What the node is for: lower-case letters, digits and hyphens.");
const Org = text("The organization it belongs to.");

export const NodeView = t.Object({
  node_id: t.String(),
  pool_id: t.String({ description: "The pool it is in, or was in last." }),
  name: t.String(),
  specialization: t.String(),
  specialization_approved: t.Boolean({
    description:
      "False while the node waits for an operator to agree; it counts at most 1000 till then.",
  }),
  endpoint: t.Nullable(t.String()),
  org: t.Nullable(t.String()),
  metadata: t.Record(t.String(), t.String()),
  state: words(NODE_STATES, "What the pool knows of it now."),
  status: words(
    ["pending", "member", "suspended", "left", "removed"],
    "Whether it belongs to its pool; a pending one earns nothing until it was heard in three slots.",
  ),
  suspension: t.Nullable(
    t.Object({
      reason: t.Nullable(t.String()),
      since: time,
      remove_at: t.Nullable(
        t.String({ format: "date-time", description: "When the pool removes it; null for never." }),
      ),
    }),
  ),
  pending_since: t.Nullable(time),
  public_key: t.String({ description: "Ed25519, base64." }),
  registered_at: time,
  last_seen_at: t.Nullable(time),
  health_permille: t.Integer({ description: "From probes, in thousandths." }),
  etag: t.String({ description: "For If-Match." }),
});

export const NodePage = t.Object({
  items: t.Array(NodeView),
  next_cursor: t.Nullable(t.String()),
});

export const NewNodeBody = t.Object({
  name: text("What people call it: 1 to 64 printable characters."),
  public_key: text("Its Ed25519 key, 32 bytes in base64 or hexadecimal."),
  specialization: Specialization,
  endpoint: t.Optional(Endpoint),
  org: t.Optional(Org),
  pool: t.Optional(text("The id of its pool; needed when there are several.")),
  metadata: t.Optional(Metadata),
});

export const NodeChangesBody = t.Object({
  name: t.Optional(text("1 to 64 printable characters.")),
  specialization: t.Optional(Specialization),
  endpoint: t.Optional(t.Nullable(Endpoint)),
  org: t.Optional(t.Nullable(Org)),
  metadata: t.Optional(Metadata),
});

export const NodeQuery = {
  pool: t.Optional(text("Only this pool's, by id.")),
  specialization: t.Optional(text("Only those with this specialization.")),
  org: t.Optional(text("Only this organization's.")),
  state: t.Optional(words(NODE_STATES, "Only those in this state; left ones show only here.")),
  q: t.Optional(text("Part of the name, or the beginning of the id.", 64)),
};

export const NodeParams = t.Object({ node_id: t.String({ maxLength: 64 }) });
export const PoolParams = t.Object({ pool_id: t.String({ maxLength: 64 }) });

export const IfMatch = t.Object({
  "if-match": t.Optional(
    text("The etag read before; the change is refused when it is not current."),
  ),
});

export const PoolView = t.Object({
  pool_id: t.String(),
  name: t.String(),
  kind: words(POOL_KINDS, "What it is for."),
  org: t.Nullable(t.String()),
  visibility: words(VISIBILITIES, "Who may come in and look, as it holds now."),
  allowed_orgs: t.Nullable(
    t.Array(t.String(), {
      description:
        "Organizations it admits and shows itself to; null for any, an empty list for nobody.",
    }),
  ),
  public_key: t.String({ description: "Ed25519, base64; every claim names it." }),
  created_at: time,
  max_nodes: t.Integer(),
  nodes: t.Integer({ description: "How many nodes take a place in it." }),
  pending: t.Integer({ description: "How many nodes wait to be admitted; they take no place." }),
  etag: t.String({ description: "For If-Match." }),
});

export const PoolPage = t.Object({
  items: t.Array(PoolView),
  next_cursor: t.Nullable(t.String()),
});

const MaxNodes = t.Integer({
  description: "Its own limit of nodes; registry.max_nodes without one.",
});
const Kind = t.Union(
  POOL_KINDS.map((kind) => t.Literal(kind)),
  { description: "main (the default), test, dev or enterprise; enterprise needs an org." },
);

const Sight = t.Union(
  VISIBILITIES.map((word) => t.Literal(word)),
  {
    description:
      "public: anybody may enrol and see it. private: nodes come by operator or token only, and for others it does not exist. Unstated it follows registry.allow_public_registration.",
  },
);
const AllowedOrgs = t.Array(text("An organization.", 64), {
  maxItems: ALLOWED_ORGS_MAX,
  description:
    "Organizations a private pool admits and shows itself to; an empty list admits nobody, unstated registry.allowed_orgs holds.",
});

export const NewPoolBody = t.Object({
  name: text("1 to 64 printable characters, unlike any other pool's."),
  kind: t.Optional(Kind),
  org: t.Optional(text("Whose it is; nodes then come by token or operator only.")),
  max_nodes: t.Optional(MaxNodes),
  visibility: t.Optional(Sight),
  allowed_orgs: t.Optional(AllowedOrgs),
});

export const PoolChangesBody = t.Object({
  name: t.Optional(text("1 to 64 printable characters, unlike any other pool's.")),
  kind: t.Optional(Kind),
  org: t.Optional(t.Nullable(text("Whose it is; null for nobody's."))),
  max_nodes: t.Optional(t.Nullable(MaxNodes)),
  visibility: t.Optional(t.Nullable(Sight)),
  allowed_orgs: t.Optional(t.Nullable(AllowedOrgs)),
});

export const SuspendBody = t.Optional(
  t.Object({
    reason: t.Optional(t.String({ maxLength: 256, description: "Why, for the record." })),
    remove_after_seconds: t.Optional(
      t.Nullable(
        t.Integer({
          minimum: 60,
          maximum: 366 * 86_400,
          description:
            "After how long the pool removes it, unless it is resumed; null for never, registry.suspension_grace when unstated.",
        }),
      ),
    ),
  }),
);

export const JoinBody = t.Optional(
  t.Object({
    node_id: t.Optional(text("Which node; a node itself leaves it out.", 64)),
  }),
);

export const DiscoveryQuery = t.Object({
  specialization: t.Optional(text("Only those with this specialization.")),
  org: t.Optional(text("Only this organization's.")),
  n: t.Optional(
    t.Integer({ minimum: 1, maximum: 500, description: "How many at most; 50 when unstated." }),
  ),
});

export const ResolveQuery = t.Object({
  specialization: t.Optional(text("Only those with this specialization.")),
  org: t.Optional(text("Only this organization's.")),
  policy: t.Optional(
    t.Union(
      PICK_POLICIES.map((policy) => t.Literal(policy)),
      { description: "least_loaded (the default), round_robin or hash." },
    ),
  ),
  key: t.Optional(text("What to hash, with policy hash.")),
});
