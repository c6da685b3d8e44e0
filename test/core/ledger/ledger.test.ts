import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { seededRandom } from "#test/support/seeded-random.ts";
import { type NodeId, nodeIdOf, type PoolId, poolIdOf } from "@/core/ids.ts";
import { balanceOf, hotAccount, nodeAccount } from "@/core/ledger/account.ts";
import {
  accrueAndConvert,
  fund,
  mature,
  payoutPending,
  payoutPost,
  payoutVoid,
  refund,
  slash,
  unexplained,
} from "@/core/ledger/acts.ts";
import { checkLedger } from "@/core/ledger/check.ts";
import { accountsTouched } from "@/core/ledger/ledger.ts";
import { MemoryLedger } from "@/core/ledger/memory-ledger.ts";
import { AMOUNT_MAX, type Transfer } from "@/core/ledger/transfer.ts";
import { utf8 } from "@/std/bytes.ts";

const pool: PoolId = poolIdOf(utf8("pool"));
const node: NodeId = nodeIdOf(utf8("node"));
const payable = nodeAccount(pool, node, "payable");
const owed = nodeAccount(pool, node, "owed");

const fact = (amount: bigint, name = "first", rail = "stellar") =>
  fund({ rail, slot: 1, at: 1, fact: name, amount });

const earned = (micro: bigint, slot = 1) => [
  ...accrueAndConvert({ pool, node, slot, at: 5, ref: "claim", cu: 7n, micro, feeMicro: 0n }),
  ...mature({ pool, node, slot, at: 5, ref: "claim" }, micro),
];

const sealed = (amount: bigint, batch = "b1", rail = "stellar") =>
  payoutPending({ batch, slot: 9, rail, at: 9, items: [{ item: 1, pool, node, amount }] });

function book(ledger: MemoryLedger, transfers: readonly Transfer[]) {
  return ledger.open(...accountsTouched(transfers).map(({ id }) => id)).book(transfers);
}

function ledgerWith(micro: bigint, funds: bigint): MemoryLedger {
  const ledger = new MemoryLedger();
  book(ledger, earned(micro));
  book(ledger, fact(funds));
  return ledger;
}

describe("the business acts", () => {
  test("a payout moves what was earned to the node, and the books balance", () => {
    const ledger = ledgerWith(500n, 900n);
    const pending = sealed(500n);
    book(ledger, pending);
    book(ledger, payoutPost(pending, "proof", 10));
    expect(balanceOf(ledger.getAccount(payable))).toBe(0n);
    expect(balanceOf(ledger.getAccount(hotAccount("stellar")))).toBe(400n);
    expect(balanceOf(ledger.getAccount("exp:rewards"))).toBe(500n);
    expect(checkLedger(ledger.accounts, ledger.transfers)).toEqual([]);
  });

  test("a void makes the money payable again", () => {
    const ledger = ledgerWith(500n, 900n);
    const pending = sealed(500n);
    book(ledger, pending);
    book(ledger, payoutVoid(pending, "expired", 10));
    expect(balanceOf(ledger.getAccount(payable))).toBe(500n);
    expect(ledger.getAccount(payable).dq).toBe(0n);
  });

  test("a surplus on a paying account is booked as unexplained", () => {
    const ledger = ledgerWith(1n, 900n);
    book(ledger, unexplained({ rail: "stellar", slot: 9, at: 9, fact: "day 1", amount: 5n }));
    expect(balanceOf(ledger.getAccount(hotAccount("stellar")))).toBe(905n);
    expect(balanceOf(ledger.getAccount("equity:unexplained"))).toBe(5n);
  });

  test("the pool's fee is taken of what is owed, in the same list", () => {
    const ledger = new MemoryLedger();
    const act = { pool, node, slot: 1, at: 1, ref: "c", cu: 9n, micro: 100n, feeMicro: 3n };
    book(ledger, accrueAndConvert(act));
    expect(balanceOf(ledger.getAccount(owed))).toBe(97n);
    expect(balanceOf(ledger.getAccount(`pool:${pool}:fee`))).toBe(3n);
  });

  test("work worth less than a millionth makes no transfer of nothing", () => {
    const act = { pool, node, slot: 1, at: 1, ref: "c", cu: 9n, micro: 0n, feeMicro: 0n };
    expect(accrueAndConvert(act).map(({ ledger }) => ledger)).toEqual([1, 1]);
    expect(accrueAndConvert({ ...act, cu: 0n })).toEqual([]);
  });

  test("ids in the order of text are in the order of time", () => {
    const ids = [9, 10, 99, 100, 2_000_000_000].map((slot) => earned(1n, slot)[0]?.id ?? "");
    expect([...ids].sort()).toEqual(ids);
    expect(ids[0]).toBe(`000000000009:accr:${pool}:${node}`);
  });
});

describe("a list of transfers", () => {
  test("is booked whole or not at all", () => {
    const ledger = ledgerWith(500n, 900n);
    const before = ledger.accounts;
    const list = [...fact(5n, "second"), ...sealed(501n)];
    expect(refusalCode(() => book(ledger, list))).toBe("ledger.overdrawn");
    expect(ledger.accounts).toEqual(before);
    expect(ledger.findTransfer(list[0]?.id ?? "")).toBeUndefined();
  });

  test("changes nothing when it is repeated, even later", () => {
    const ledger = ledgerWith(500n, 900n);
    const before = ledger.accounts;
    const again = earned(500n).map((transfer) => ({ ...transfer, at: 77 }));
    expect(book(ledger, again)).toEqual({ accounts: [], transfers: [], existing: 4 });
    expect(ledger.accounts).toEqual(before);
  });

  test("may use in its second transfer what its first one gave", () => {
    expect(refusalCode(() => book(new MemoryLedger(), earned(3n)))).toBe("allowed");
  });

  test("may resolve what it reserved itself", () => {
    const ledger = ledgerWith(500n, 900n);
    const pending = sealed(500n);
    const list = [...pending, ...payoutPost(pending, "p", 9), ...payoutVoid(pending, "p", 9)];
    expect(refusalCode(() => book(ledger, list))).toBe("ledger.pending_resolved");
  });
});

describe("a transfer is refused", () => {
  const [good] = fact(5n, "other");
  const [pending] = sealed(500n);
  if (!good || !pending) throw new Error("acts make transfers");
  const [post] = payoutPost([pending], "p", 9);
  if (!post) throw new Error("acts make transfers");
  const { pendingId: _, ...postOfNothing } = post;

  test.each<[string, Transfer, string]>([
    ["with an amount of 0", { ...good, amount: 0n }, "ledger.amount_out_of_range"],
    ["beyond 64 bits", { ...good, amount: AMOUNT_MAX + 1n }, "ledger.amount_out_of_range"],
    ["to the account it comes from", { ...good, to: good.from }, "ledger.same_account"],
    ["from an unknown account", { ...good, from: "asset:hot:x" }, "ledger.account_unknown"],
    ["to an unknown account", { ...good, to: "dust" }, "ledger.account_unknown"],
    ["across ledgers", { ...good, from: "work:issued" }, "ledger.ledgers_differ"],
    ["on the other ledger", { ...good, ledger: 1 }, "ledger.ledgers_differ"],
    ["single with a pending id", { ...good, pendingId: "x" }, "ledger.pending_differs"],
    ["posting nothing", postOfNothing, "ledger.pending_unknown"],
    ["posting a single", { ...post, pendingId: good.id }, "ledger.pending_unknown"],
    ["posting a part", { ...post, amount: 499n }, "ledger.pending_differs"],
    ["posting from elsewhere", { ...post, from: owed }, "ledger.pending_differs"],
    ["posting to elsewhere", { ...post, to: "equity:funding" }, "ledger.pending_differs"],
    ["posting another act", { ...post, code: "slash" }, "ledger.pending_differs"],
    ["same id, other amount", { ...pending, amount: 4n }, "ledger.transfer_differs"],
    ["same id, other reason", { ...pending, ref: "b2" }, "ledger.transfer_differs"],
    ["beyond what a balance holds", { ...good, amount: AMOUNT_MAX }, "ledger.balance_overflow"],
  ])("%s", (_, transfer, code) => {
    const ledger = ledgerWith(500n, 900n);
    book(ledger, [pending]);
    expect(refusalCode(() => ledger.book([transfer]))).toBe(code);
  });
});

describe("guards", () => {
  test.each<[string, readonly Transfer[], string]>([
    ["a payout of all is reserved", sealed(500n), "allowed"],
    ["one unit above what is payable is not", sealed(501n), "ledger.overdrawn"],
    ["nor what the paying account does not hold", sealed(500n, "b1", "evm"), "ledger.overdrawn"],
    ["the manual rail needs no funds", sealed(500n, "b1", "manual"), "allowed"],
    ["nothing matures that is not owed", mature(act(), 1n), "ledger.overdrawn"],
    ["nothing is slashed that is not owed", slash(act(), 1n), "ledger.overdrawn"],
  ])("%s", (_, transfers, code) => {
    expect(refusalCode(() => book(ledgerWith(500n, 900n), transfers))).toBe(code);
  });

  test("what is reserved cannot be reserved again", () => {
    const ledger = ledgerWith(500n, 900n);
    book(ledger, sealed(500n));
    expect(refusalCode(() => book(ledger, sealed(1n, "b2")))).toBe("ledger.overdrawn");
  });

  test("never refuse a fact: a landed payment is booked whatever the account holds", () => {
    const ledger = ledgerWith(500n, 500n);
    const pending = sealed(500n);
    book(ledger, pending);
    const back = { rail: "stellar", slot: 9, at: 9, fact: "tx:0", amount: 800n };
    expect(refusalCode(() => book(ledger, refund(back, pool, node)))).toBe("allowed");
    expect(refusalCode(() => book(ledger, payoutPost(pending, "p", 9)))).toBe("allowed");
  });

  test("a fact that overdraws an asset is booked and the next intention is refused", () => {
    const ledger = ledgerWith(500n, 400n);
    const [base] = fact(1n, "loss");
    if (!base) throw new Error("a fact makes a transfer");
    const loss: Transfer = {
      ...base,
      from: "equity:unexplained",
      to: hotAccount("stellar"),
      amount: 401n,
    };
    expect(refusalCode(() => book(ledger, [loss]))).toBe("allowed");
    expect(balanceOf(ledger.getAccount(hotAccount("stellar")))).toBe(-1n);
    expect(refusalCode(() => book(ledger, sealed(1n)))).toBe("ledger.overdrawn");
    expect(checkLedger(ledger.accounts, ledger.transfers)).toEqual([]);
  });

  function act() {
    return { pool, node, slot: 3, at: 3, ref: "r" };
  }
});

describe("amounts", () => {
  test.each([2n ** 53n - 1n, 2n ** 53n, 2n ** 53n + 1n, AMOUNT_MAX - 1n, AMOUNT_MAX])(
    "of %p survive to the last unit",
    (amount) => {
      const ledger = new MemoryLedger();
      book(ledger, fact(amount));
      expect(balanceOf(ledger.getAccount(hotAccount("stellar")))).toBe(amount);
      expect(checkLedger(ledger.accounts, ledger.transfers)).toEqual([]);
    },
  );
});

describe("20,000 random operations", () => {
  test.each([1, 2, 3])("leave every invariant whole (seed %p)", (seed) => {
    const { ledger, refused } = runRandom(seed, 20_000);
    expect(refused).toBeGreaterThan(500);
    expect(ledger.transfers.length).toBeGreaterThan(5_000);
    expect(checkLedger(ledger.accounts, ledger.transfers)).toEqual([]);
  });
});

/** Random acts on 33 nodes; every refused one must leave no trace, which the check at the end shows. */
function runRandom(seed: number, operations: number) {
  const random = seededRandom(seed);
  const pick = (count: number) => Math.floor(random() * count);
  const nodes = Array.from({ length: 33 }, (_, n) => nodeIdOf(utf8(`node ${n}`)));
  const nodeAt = () => nodes[pick(nodes.length)] ?? node;
  const open: Transfer[] = [];
  const takeOpen = () => open.splice(pick(open.length), 1);
  const amount = () => BigInt(1 + pick(1_000));
  const makers: readonly ((slot: number) => readonly Transfer[])[] = [
    (slot) =>
      accrueAndConvert({
        pool,
        node: nodeAt(),
        slot,
        at: slot,
        ref: "c",
        cu: amount(),
        micro: amount(),
        feeMicro: 0n,
      }),
    (slot) => mature({ pool, node: nodeAt(), slot, at: slot, ref: "m" }, amount()),
    (slot) => slash({ pool, node: nodeAt(), slot, at: slot, ref: "e" }, amount() / 10n),
    (slot) => fund({ rail: "stellar", slot, at: slot, fact: `${slot}`, amount: amount() }),
    (slot) =>
      payoutPending({
        batch: `b${slot}`,
        slot,
        rail: "stellar",
        at: slot,
        items: [
          { item: 1, pool, node: nodeAt(), amount: amount() },
          { item: 2, pool, node: nodeAt(), amount: amount() },
        ],
      }),
    (slot) => payoutPost(takeOpen(), "p", slot),
    (slot) => payoutVoid(takeOpen(), "v", slot),
  ];
  const ledger = new MemoryLedger();
  let refused = 0;
  for (let slot = 1; slot <= operations; slot++) {
    const list = makers[pick(makers.length)]?.(slot) ?? [];
    if (refusalCode(() => book(ledger, list)) !== "allowed") refused++;
    else open.push(...list.filter(({ kind }) => kind === "pending"));
  }
  return { ledger, refused };
}
