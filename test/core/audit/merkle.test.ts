import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import {
  EMPTY_ROOT,
  type Hash,
  leafHash,
  MerkleTree,
  nodeHash,
  verifyConsistency,
  verifyInclusion,
} from "@/core/audit/merkle.ts";
import { toHex } from "@/std/bytes.ts";

/** The reference inputs and roots of RFC 6962, as transparency-dev/merkle publishes them. */
const LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"].concat(
  "606162636465666768696a6b6c6d6e6f",
);
const ROOTS = [
  "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
  "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
  "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
  "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
  "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
  "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
  "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
  "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
  "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];
const N0_1 = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const N0_4 = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const N0_6 = "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f";
const N1_1 = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const N1_2 = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const N1_3 = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const N2_1 = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";
/** Published proofs: leaf or earlier size, size, path. */
const INCLUSIONS: readonly (readonly [number, number, readonly string[]])[] = [
  [0, 1, []],
  [0, 8, [N0_1, N1_1, N2_1]],
  [5, 8, [N0_4, N1_3, ROOTS[4] ?? ""]],
  [2, 3, [ROOTS[2] ?? ""]],
  [1, 5, [ROOTS[1] ?? "", N1_1, N0_4]],
];
const GROWTHS: readonly (readonly [number, number, readonly string[]])[] = [
  [1, 1, []],
  [1, 8, [N0_1, N1_1, N2_1]],
  [6, 8, [N1_2, N1_3, ROOTS[4] ?? ""]],
  [2, 5, [N1_1, N0_4]],
  [6, 7, [N1_2, N0_6, ROOTS[4] ?? ""]],
];

function bytes(hex: string): Uint8Array {
  return Uint8Array.from(Buffer.from(hex, "hex"));
}

function treeOf(entries: readonly Uint8Array[]): MerkleTree {
  const tree = new MerkleTree();
  for (const entry of entries) tree.append(leafHash(entry));
  return tree;
}

const reference = treeOf(LEAVES.map(bytes));
const rootOf = (size: number): Hash => bytes(ROOTS[size] ?? "");

/** All ways to change a proof a little: each must be refused. */
function mutations(proof: readonly Hash[]): (readonly Hash[])[] {
  const flipped = (at: number) =>
    proof.map((hash, index) => (index === at ? hash.with(4, (hash[4] ?? 0) ^ 16) : hash));
  return [
    ...proof.map((_, at) => flipped(at)),
    ...proof.map((_, at) => proof.filter((_, index) => index !== at)),
    ...proof.map((_, at) => proof.map((hash, index) => (index === at ? hash.slice(1) : hash))),
    [...proof, new Uint8Array()],
    [...proof, rootOf(1)],
    [rootOf(1), ...proof],
    [...proof, ...proof, rootOf(8)],
  ];
}

describe("the Merkle tree", () => {
  test("has the published root at every size", () => {
    expect(ROOTS.map((_, size) => toHex(reference.root(size)))).toEqual(ROOTS);
    expect(toHex(EMPTY_ROOT)).toBe(ROOTS[0] ?? "");
    expect(toHex(new MerkleTree().root())).toBe(ROOTS[0] ?? "");
  });

  test.each(INCLUSIONS)("proves leaf %i of %i as published", (index, size, published) => {
    const proof = reference.inclusionProof(index, size);
    expect(proof.map(toHex)).toEqual([...published]);
    const inclusion = { index, size, leaf: reference.leaf(index), root: rootOf(size) };
    expect(verifyInclusion(inclusion, proof)).toBe(true);
    for (const changed of mutations(proof)) expect(verifyInclusion(inclusion, changed)).toBe(false);
    const wrong = [
      { index: index + 1 },
      { index: index ^ 2 },
      { index: -1 },
      { index: 2 ** 53 },
      { size: size * 2 },
      { size: Math.floor(size / 2) },
      { root: new Uint8Array() },
      { root: rootOf(0) },
      { leaf: new Uint8Array() },
      { leaf: rootOf(0) },
    ];
    for (const change of wrong) {
      expect([change, verifyInclusion({ ...inclusion, ...change }, proof)]).toEqual([
        change,
        false,
      ]);
    }
  });

  test.each(GROWTHS)("proves the growth from %i to %i as published", (from, to, published) => {
    const proof = reference.consistencyProof(from, to);
    expect(proof.map(toHex)).toEqual([...published]);
    const growth = { from, fromRoot: rootOf(from), to, toRoot: rootOf(to) };
    expect(verifyConsistency(growth, proof)).toBe(true);
    for (const changed of mutations(proof)) expect(verifyConsistency(growth, changed)).toBe(false);
    const wrong = [
      { from: from - 1 },
      { from: from + 1 },
      { from: 0 },
      { from: -1 },
      { from: 2 ** 53 },
      { to: to * 2 },
      { to: Math.floor(to / 2) },
      { fromRoot: rootOf(0) },
      { toRoot: rootOf(0) },
      { fromRoot: new Uint8Array(), toRoot: new Uint8Array() },
    ];
    for (const change of wrong) {
      expect([change, verifyConsistency({ ...growth, ...change }, proof)]).toEqual([change, false]);
    }
  });

  test("proves every leaf and every growth of every size up to 70", () => {
    const entries = Array.from({ length: 70 }, (_, at) => Uint8Array.of(at));
    const tree = treeOf(entries);
    for (let size = 1; size <= tree.size; size++) {
      const root = tree.root(size);
      expect(toHex(root)).toBe(toHex(slowRoot(entries.slice(0, size))));
      for (let index = 0; index < size; index++) {
        const inclusion = { index, size, leaf: tree.leaf(index), root };
        expect(verifyInclusion(inclusion, tree.inclusionProof(index, size))).toBe(true);
        const from = index + 1;
        const growth = { from, fromRoot: tree.root(from), to: size, toRoot: root };
        expect(verifyConsistency(growth, tree.consistencyProof(from, size))).toBe(true);
      }
    }
    expect(tree.consistencyProof(0, 70)).toEqual([]);
  });

  test("no proof of one entry serves for another, nor for a node as a leaf", () => {
    const sized = fc.integer({ min: 2, max: 40 });
    fc.assert(
      fc.property(sized, fc.nat(), fc.nat(), (size, one, other) => {
        const [index, wrong] = [one % size, other % size];
        const tree = treeOf(Array.from({ length: size }, (_, at) => Uint8Array.of(at)));
        const inclusion = { index: wrong, size, leaf: tree.leaf(index), root: tree.root() };
        const holds = verifyInclusion(inclusion, tree.inclusionProof(index, size));
        expect(holds).toBe(index === wrong);
      }),
    );
    const [left, right] = [leafHash(Uint8Array.of(1)), leafHash(Uint8Array.of(2))];
    expect(toHex(nodeHash(left, right))).not.toBe(toHex(leafHash(Buffer.concat([left, right]))));
  });

  test("is asked only for what it has", () => {
    expect(() => reference.root(9)).toThrow();
    expect(() => reference.leaf(8)).toThrow();
    expect(() => reference.inclusionProof(8, 8)).toThrow();
    expect(() => reference.consistencyProof(5, 4)).toThrow();
    expect(() => new MerkleTree().append(new Uint8Array(31))).toThrow();
  });
});

/** The definition of the RFC, word for word. */
function slowRoot(entries: readonly Uint8Array[]): Hash {
  const [only, ...more] = entries;
  if (!only) return EMPTY_ROOT;
  if (more.length === 0) return leafHash(only);
  const split = 2 ** Math.floor(Math.log2(entries.length - 1));
  return nodeHash(slowRoot(entries.slice(0, split)), slowRoot(entries.slice(split)));
}
