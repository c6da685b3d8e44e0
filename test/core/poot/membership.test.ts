import { describe, expect, test } from "bun:test";
import { type NodeId, nodeIdOf } from "@/core/ids.ts";
import {
  dropHealth,
  type HealthTable,
  healthOf,
  newHealthTable,
  noteAlive,
  observeSlot,
} from "@/core/poot/membership.ts";

const POLICY = { lostAfterSlots: 3, silenceMaxSlots: 120 };

function nodesOf(count: number): NodeId[] {
  return Array.from({ length: count }, (_, at) => nodeIdOf(Uint8Array.of(at)));
}

/** A pool in whose slot 0 all nodes were heard. */
function tableOf(nodes: readonly NodeId[]): HealthTable {
  const table = newHealthTable();
  for (const node of nodes) noteAlive(table, node);
  observe(table, 0, nodes);
  return table;
}

function observe(table: HealthTable, slot: number, up: readonly NodeId[], isLooked = true) {
  const heard = new Set(up);
  return observeSlot(table, { slot, isLooked, isUp: (node) => heard.has(node) }, POLICY);
}

function healths(table: HealthTable): string[] {
  return [...table.nodes.values()].map((known) => known.health);
}

describe("the health of a node", () => {
  test.each([
    [0, "alive"],
    [1, "late"],
    [2, "late"],
    [3, "lost"],
    [9, "lost"],
  ] as const)("that missed %d slots is %s", (missed, health) => {
    expect(healthOf(missed, 3)).toBe(health);
  });

  test("goes from alive to late to lost, and back with one heartbeat", () => {
    const [node, ...others] = nodesOf(3);
    if (!node) throw new Error("no node");
    const table = tableOf([node, ...others]);
    expect(observe(table, 1, others)).toEqual([{ node, from: "alive", to: "late" }]);
    expect(observe(table, 2, others)).toEqual([]);
    expect(observe(table, 3, others)).toEqual([{ node, from: "late", to: "lost" }]);
    expect(noteAlive(table, node)).toEqual({ node, from: "lost", to: "alive" });
    expect(noteAlive(table, node)).toBeUndefined();
  });

  test("of a node never heard before becomes alive", () => {
    const [node] = nodesOf(1);
    if (!node) throw new Error("no node");
    expect(noteAlive(newHealthTable(), node)).toEqual({ node, from: "lost", to: "alive" });
  });

  test("is forgotten when it leaves", () => {
    const nodes = nodesOf(2);
    const table = tableOf(nodes);
    for (const node of nodes) dropHealth(table, node);
    expect(observe(table, 1, [])).toEqual([]);
  });
});

describe("a pool that was not looking", () => {
  test("for two minutes loses none of 100 nodes", () => {
    const nodes = nodesOf(100);
    const table = tableOf(nodes);
    for (let slot = 1; slot <= 4; slot++) expect(observe(table, slot, [], false)).toEqual([]);
    expect(observe(table, 5, nodes)).toEqual([]);
    expect(new Set(healths(table))).toEqual(new Set(["alive"]));
  });

  test("costs a node that was late no slot", () => {
    const [node, ...others] = nodesOf(3);
    const table = tableOf(node ? [node, ...others] : others);
    observe(table, 1, others);
    observe(table, 2, others);
    for (let slot = 3; slot <= 9; slot++) observe(table, slot, [], false);
    expect(healths(table)[0]).toBe("late");
  });
});

describe("mass silence", () => {
  test("of more than half of the nodes makes nobody lost", () => {
    const nodes = nodesOf(10);
    const table = tableOf(nodes);
    for (let slot = 1; slot <= 50; slot++) observe(table, slot, nodes.slice(0, 4));
    expect(healths(table).filter((health) => health === "late").length).toBe(6);
    expect(table.silence?.since).toBe(1);
  });

  test("of half of the nodes is just half of the nodes", () => {
    const nodes = nodesOf(10);
    const table = tableOf(nodes);
    for (let slot = 1; slot <= 3; slot++) observe(table, slot, nodes.slice(0, 5));
    expect(healths(table).filter((health) => health === "lost").length).toBe(5);
  });

  test("of three nodes is too little to tell", () => {
    const table = tableOf(nodesOf(3));
    for (let slot = 1; slot <= 3; slot++) observe(table, slot, []);
    expect(healths(table)).toEqual(["lost", "lost", "lost"]);
  });

  test("of four nodes is enough", () => {
    const table = tableOf(nodesOf(4));
    for (let slot = 1; slot <= 3; slot++) observe(table, slot, []);
    expect(healths(table)).toEqual(["late", "late", "late", "late"]);
  });

  test("ends when half of that set is back; then the others are lost", () => {
    const nodes = nodesOf(8);
    const table = tableOf(nodes);
    for (let slot = 1; slot <= 6; slot++) observe(table, slot, nodes.slice(0, 3));
    expect(healths(table)).not.toContain("lost");
    observe(table, 7, nodes.slice(0, 4));
    expect(healths(table).filter((health) => health === "lost").length).toBe(4);
  });

  test("ends after its time", () => {
    const nodes = nodesOf(8);
    const table = tableOf(nodes);
    for (let slot = 1; slot <= 120; slot++) observe(table, slot, []);
    expect(healths(table)).not.toContain("lost");
    observe(table, 121, []);
    expect(new Set(healths(table))).toEqual(new Set(["lost"]));
  });

  test("leaves a node lost that was lost before, and nodes one after the other are no mass", () => {
    const nodes = nodesOf(8);
    const table = tableOf(nodes);
    for (let slot = 1; slot <= 4; slot++) observe(table, slot, nodes.slice(1));
    for (let slot = 5; slot <= 8; slot++) observe(table, slot, []);
    expect(healths(table).filter((health) => health === "lost").length).toBe(1);
    const one = tableOf(nodes);
    for (let slot = 1; slot <= 8; slot++) observe(one, slot, nodes.slice(slot));
    expect(healths(one).filter((health) => health === "lost").length).toBeGreaterThan(0);
  });

  test("does not count nodes that have left, nor nodes that only just came", () => {
    const nodes = nodesOf(8);
    const table = tableOf(nodes.slice(0, 4));
    for (const node of nodes.slice(4)) noteAlive(table, node);
    observe(table, 1, nodes.slice(4));
    expect(table.silence?.wereUp.size).toBe(4);
    for (const node of nodes.slice(0, 2)) dropHealth(table, node);
    observe(table, 2, nodes.slice(3));
    expect(table.silence).toBeUndefined();
  });
});
