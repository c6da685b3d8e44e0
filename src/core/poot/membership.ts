/** Whether a node belongs to the pool; a heartbeat counts from a `member` only. */
export type Membership = "member" | "suspended" | "left" | "removed";
