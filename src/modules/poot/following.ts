import type { Events } from "@/kernel/events.ts";
import type { Logger } from "@/kernel/log.ts";
import type { Poot } from "./service.ts";

/** Follows who comes and goes, as the registry tells it; the answer ends it. */
export function followRegistry(poot: Poot, events: Events, log: Pick<Logger, "error">): () => void {
  const undos = [
    events.on("node.joined", ({ node, pool }) => poot.noteJoined(pool, node)),
    events.on("node.moved", ({ node, pool, from }) => {
      poot.noteLeft(from, node);
      poot.noteJoined(pool, node);
    }),
    events.on("node.left", ({ node, pool }) => poot.noteLeft(pool, node)),
    events.on("node.expired", ({ node, pool }) => poot.noteLeft(pool, node)),
    events.on("node.removed", ({ node, pool }) => poot.noteLeft(pool, node)),
    events.on("node.suspended", ({ node, pool }) => poot.noteSuspended(pool, node)),
    events.on("node.changed", ({ node, pool }) => poot.noteChanged(pool, node)),
    events.on("pool.created", ({ pool }) => {
      poot.addPool(pool).catch((err: unknown) => log.error({ err, pool }, "pool not read"));
    }),
    events.on("pool.deleted", ({ pool }) => poot.dropPool(pool)),
  ];
  return () => {
    for (const undo of undos) undo();
  };
}
