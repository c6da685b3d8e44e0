import { describe, expect, test } from "bun:test";
import type { NodeId } from "@/core/ids.ts";
import type { ClosedNode } from "@/core/poot/closing.ts";
import {
  forgetSilent,
  newPresence,
  rememberNode,
  type SessionPresence,
} from "@/core/poot/presence.ts";
import { noteHeard } from "@/core/poot/slot-window.ts";

const NODE = "node" as NodeId;
const SESSION = new Uint8Array(16).fill(1);
const HEARD = 100;

/** A table that heard one node in slot 100, with five ticks. */
function heardOnce() {
  const table = newPresence(0, 10);
  const presence = rememberNode(table, NODE);
  presence.sessions = [{ session: SESSION, ticks: 5, slot: HEARD } as SessionPresence];
  noteHeard(presence.window, HEARD, false);
  return table;
}

/** What the close settled of it. */
function closedWith(credited: number): ClosedNode {
  return {
    node: NODE,
    sessions: [{ session: SESSION, credited, seen: HEARD }],
  } as unknown as ClosedNode;
}

describe("a silent node", () => {
  const { windowSlots } = newPresence(0, 10);

  test.each([
    ["is forgotten once the window has passed and all is settled", 5, HEARD + windowSlots, 0],
    ["is kept while the window still shows it", 5, HEARD + windowSlots - 1, 1],
    ["is kept while ticks of it wait for a close", 4, HEARD + windowSlots, 1],
  ])("%s", (_, credited, now, left) => {
    const table = heardOnce();
    forgetSilent(table, closedWith(credited), now);
    expect(table.nodes.size).toBe(left);
  });

  test("that nobody remembers is nothing to forget", () => {
    const table = newPresence(0, 10);
    forgetSilent(table, closedWith(5), HEARD + windowSlots);
    expect(table.nodes.size).toBe(0);
  });
});
