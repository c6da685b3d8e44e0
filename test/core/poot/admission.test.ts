import { describe, expect, test } from "bun:test";
import { acceptHeartbeat } from "@/core/poot/accept.ts";
import { heardPending, isAdmissible, marksFrom, type PendingBeats } from "@/core/poot/admission.ts";
import { readHeartbeat } from "@/core/poot/heartbeat.ts";
import { newNodeMarks } from "@/core/poot/marks.ts";
import { newPresence } from "@/core/poot/presence.ts";
import { at, first, openOf, S } from "./world.ts";

describe("a pending node", () => {
  test.each([
    ["three slots", [1, 2, 3], true],
    ["three slots with gaps", [1, 5, 9], true],
    ["two slots", [1, 2], false],
    ["one slot, often", [1, 1, 1, 1], false],
    ["an earlier slot again", [5, 6, 5], false],
  ] as const)("heard in %s is admitted: %p %p", (_, slots, admitted) => {
    let beats: PendingBeats | undefined;
    for (const slot of slots) beats = heardPending(beats, slot);
    expect(beats !== undefined && isAdmissible(beats)).toBe(admitted);
  });

  test("is heard, and remembered as one that does not earn", () => {
    const table = newPresence(S, 10);
    const context = at(S, { membership: "pending" });
    const answer = acceptHeartbeat(table, context, readHeartbeat(first(openOf(S))));
    expect(answer.type).toBe("accepted");
    expect(table.nodes.get(context.node)?.sessions).toMatchObject([{ isPending: true }]);
  });
});

describe("the marks of a node that was pending", () => {
  const marks = newNodeMarks(10);

  test("leave every slot before its admission out", () => {
    expect(marksFrom(marks, 15)).toEqual({ ...marks, lastSlot: 14 });
  });

  test.each([[undefined], [10], [3]])("stay where they are for %p", (from) => {
    expect(marksFrom(marks, from)).toBe(marks);
  });
});
