import type { Migration } from "@/ports/database.ts";

interface NodeTrustRow {
  node: string;
  pin: Uint8Array;
}

declare module "@/ports/database.ts" {
  interface Tables {
    node_trust: NodeTrustRow;
  }
}

/** Which root each node keeps, by its pin, as it said itself. */
export const TRUST_MIGRATIONS: readonly Migration[] = [
  {
    name: "trust/0001-nodes",
    statements: ["CREATE TABLE node_trust (node TEXT PRIMARY KEY, pin {blob} NOT NULL) {strict}"],
  },
];
