import { describe, expect, test } from "bun:test";
import { nodeIdOf, poolIdOf } from "@/core/ids.ts";
import {
  batchFiles,
  batchName,
  batchTotal,
  csvField,
  type ManualBatch,
} from "@/core/payout/batch.ts";
import { toHex, utf8 } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";

const batch: ManualBatch = {
  id: "b7",
  number: 7,
  pool: poolIdOf(utf8("pool")),
  asset: "USDT",
  sealedAt: 1_790_000_000_000,
  planHash: "ab".repeat(32),
  items: [
    { id: 1, node: nodeIdOf(utf8("node 1")), name: "kitchen", address: "TX1", amount: 10_000_000n },
    {
      id: 2,
      node: nodeIdOf(utf8("node 2")),
      name: '=HYPERLINK("x")',
      address: "+98 912, b",
      amount: 12_345_678n,
    },
    { id: 3, node: nodeIdOf(utf8("node 3")), name: "é", address: "@x", amount: 2n ** 53n + 1n },
  ],
};
const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

describe("the files of a batch", () => {
  const files = batchFiles(batch);

  test("are exactly these bytes", () => {
    const hash = "a0e99675e6a08be2ee0543ad82a50dc110d44d9ff685dd78bc923941ca9a346d";
    expect(text(files.json)).toBe(
      `{"asset":"USDT","batch":"b7","format":"galaxy-pool batch 1","items":[` +
        `{"address":"TX1","amount_micro_usdt":"10000000","id":1,"name":"kitchen",` +
        `"node":"3nhltfnsh2uo74cjwc6umc5z6t"},` +
        `{"address":"+98 912, b","amount_micro_usdt":"12345678","id":2,` +
        `"name":"=HYPERLINK(\\"x\\")","node":"rtxcuuddpf27poy7bvqykqo7c6"},` +
        `{"address":"@x","amount_micro_usdt":"9007199254740993","id":3,"name":"é",` +
        `"node":"xlem5vztg5wl2idzlsad7ve3vh"}],"number":7,"plan_sha256":"${"ab".repeat(32)}",` +
        `"pool":"e7fmkubygz3fzuihkhjhvnfg4f","rail":"manual","sealed_at":1790000000000,` +
        `"total_micro_usdt":"9007199277086671"}`,
    );
    expect(text(files.csv).split("\r\n")).toEqual([
      "batch,item,node,name,address,amount_usdt,amount_micro_usdt,asset,batch_sha256",
      `b7,1,3nhltfnsh2uo74cjwc6umc5z6t,kitchen,TX1,10.000000,10000000,USDT,${hash}`,
      `b7,2,rtxcuuddpf27poy7bvqykqo7c6,"'=HYPERLINK(""x"")","'+98 912, b",12.345678,12345678,USDT,${hash}`,
      `b7,3,xlem5vztg5wl2idzlsad7ve3vh,é,"'@x",9007199254.740993,9007199254740993,USDT,${hash}`,
      "",
    ]);
    expect(text(files.sums)).toBe(
      `${hash}  batch-000007.json\n` +
        "24b7237add1ba2e927828b6b4e8da57c0318ad5652f402bb807ab812dc643ea3  batch-000007.csv\n",
    );
  });

  test("carry the hash of the JSON file", () => {
    expect(files.hash).toBe(toHex(sha256(files.json)));
    expect(text(files.sums)).toContain(`${toHex(sha256(files.csv))}  batch-000007.csv`);
  });

  test("are the same every time, and others when anything differs", () => {
    expect(batchFiles(structuredClone(batch))).toEqual(files);
    expect(batchFiles({ ...batch, number: 8 }).hash).not.toBe(files.hash);
    expect(batchFiles({ ...batch, items: batch.items.slice(1) }).hash).not.toBe(files.hash);
  });

  test("sum to the last unit", () => {
    expect(batchTotal(batch)).toBe(9_007_199_277_086_671n);
  });

  test.each([
    [1, "batch-000001"],
    [1_234_567, "batch-1234567"],
  ])("of number %p are named %s", (number, name) => {
    expect(batchName(number)).toBe(name);
  });
});

describe("a field of a table", () => {
  test.each([
    ["plain", "plain"],
    ["", ""],
    ["a,b", '"a,b"'],
    ['a"b', '"a""b"'],
    ["a\nb", '"a\nb"'],
    ["=1+1", `"'=1+1"`],
    ["+1", `"'+1"`],
    ["-1", "-1"],
    ["-0.005000", "-0.005000"],
    ["-1+1", `"'-1+1"`],
    ["-a", `"'-a"`],
    ["@SUM", `"'@SUM"`],
    ["\t=1", `"'\t=1"`],
    ["\r1", `"'\r1"`],
    ["  =1", `"'  =1"`],
    ["＝1", `"'＝1"`],
    ["a=1", "a=1"],
    [" a ", '" a "'],
  ])("%j is written %j", (field, written) => {
    expect(csvField(field)).toBe(written);
  });
});
