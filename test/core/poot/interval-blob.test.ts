import { describe, expect, test } from "bun:test";
import { seededRandom } from "#test/support/seeded-random.ts";
import { nodeIdOf } from "@/core/ids.ts";
import { BlobReader, BlobWriter } from "@/core/poot/blob-bytes.ts";
import { closeInterval } from "@/core/poot/interval.ts";
import {
  type BlobNode,
  decodeIntervalBlob,
  encodeIntervalBlob,
  findInIntervalBlob,
  type IntervalBlob,
} from "@/core/poot/interval-blob.ts";
import { newPresence } from "@/core/poot/presence.ts";
import type { SlotState } from "@/core/poot/slot-state.ts";
import { closeNodeOf, closing, keyOf, live, POOL, rowOf, S, T } from "./world.ts";

const MIXED: SlotState[] = ["up", "down", "unobserved", "planned", "up", "down", "up"];

function blobOf(nodes: readonly BlobNode[]): IntervalBlob {
  const interval = { epoch: 2, firstSlot: S, slots: 10 };
  return { interval, slotSeconds: T, gapFrom: S - 20, poolKey: POOL.publicKey, nodes };
}

function someNodes(): BlobNode[] {
  const table = newPresence(S, 10);
  live(table, S, S + 9);
  const rows = [rowOf(3, S + 5, S), rowOf(2, S + 8, S + 7)];
  const nodes = [
    closeNodeOf(table),
    closeNodeOf(newPresence(S, 10), { node: nodeIdOf(keyOf(5).publicKey), rows }),
    closeNodeOf(newPresence(S, 10), { node: nodeIdOf(keyOf(6).publicKey) }),
  ];
  const closed = closeInterval(closing(S), nodes).nodes.map(({ node, slots, recovered, rows }) => {
    return { node, slots, recovered, rows };
  });
  const slots = { from: S + 3, states: MIXED };
  return [...closed, { node: nodeIdOf(keyOf(7).publicKey), slots, recovered: 3, rows: [] }];
}

describe("the blob of an interval", () => {
  test("gives back all it was given: credits, claims, ACKs and the slots of all nodes", () => {
    const blob = blobOf(someNodes());
    expect(decodeIntervalBlob(encodeIntervalBlob(blob))).toEqual(blob);
  });

  test("gives each node alone as it gives it among all", () => {
    const blob = blobOf(someNodes());
    const bytes = encodeIntervalBlob(blob);
    for (const node of blob.nodes) {
      expect(findInIntervalBlob(bytes, node.node)).toEqual({ ...blob, nodes: [node] });
    }
    const stranger = nodeIdOf(keyOf(8).publicKey);
    expect(findInIntervalBlob(bytes, stranger)).toEqual({ ...blob, nodes: [] });
  });

  test("of a pool without nodes is small", () => {
    const bytes = encodeIntervalBlob(blobOf([]));
    expect(bytes.length).toBeLessThan(48);
    expect(decodeIntervalBlob(bytes).nodes).toEqual([]);
  });

  test("takes under 350 bytes of a node with a claim, and under 25 of one without", () => {
    const [credited, , silent] = someNodes();
    const empty = encodeIntervalBlob(blobOf([])).length;
    if (!credited || !silent) throw new Error("there are three nodes");
    expect(encodeIntervalBlob(blobOf([credited])).length - empty).toBeLessThan(350);
    expect(encodeIntervalBlob(blobOf([silent])).length - empty).toBeLessThan(25);
  });

  test("is refused when it is cut anywhere, or longer, or of another version", () => {
    const bytes = encodeIntervalBlob(blobOf(someNodes()));
    const refused = expect.objectContaining({ code: "poot.malformed" });
    for (let length = 0; length < bytes.length; length += 7) {
      expect(() => decodeIntervalBlob(bytes.slice(0, length))).toThrow(refused);
    }
    expect(() => decodeIntervalBlob(Uint8Array.of(...bytes, 0))).toThrow(refused);
    expect(() => decodeIntervalBlob(Uint8Array.of(2, ...bytes.slice(1)))).toThrow(refused);
  });

  test("of random bytes is refused, never a fault", () => {
    const random = seededRandom(4);
    const bytes = encodeIntervalBlob(blobOf(someNodes()));
    for (let run = 0; run < 2000; run++) {
      const wrong = bytes.slice();
      for (let hits = 1 + (run % 3); hits > 0; hits--) {
        wrong[Math.floor(random() * wrong.length)] = Math.floor(random() * 256);
      }
      try {
        decodeIntervalBlob(wrong);
      } catch (thrown) {
        expect(thrown).toMatchObject({ code: "poot.malformed" });
      }
    }
  });
});

describe("the numbers of a blob", () => {
  test.each([
    [0, 1],
    [127, 1],
    [128, 2],
    [16_383, 2],
    [16_384, 3],
    [2 ** 40, 6],
    [Number.MAX_SAFE_INTEGER, 8],
  ])("%d takes %d bytes", (value, length) => {
    const bytes = new BlobWriter().number(value).done();
    expect(bytes.length).toBe(length);
    expect(new BlobReader(bytes).number()).toBe(value);
  });

  test("grow the blob as it is needed", () => {
    const writer = new BlobWriter();
    for (let value = 0; value < 5000; value++) writer.number(value);
    const bytes = writer.raw(new Uint8Array(20_000)).done();
    const reader = new BlobReader(bytes);
    for (let value = 0; value < 5000; value++) expect(reader.number()).toBe(value);
    expect(reader.raw(20_000).length).toBe(20_000);
    reader.end();
  });

  test("beyond their limit are refused", () => {
    const bytes = new BlobWriter().number(11).done();
    expect(() => new BlobReader(bytes).number(10)).toThrow();
    expect(() => new BlobReader(new Uint8Array(9).fill(255)).number()).toThrow();
  });
});
