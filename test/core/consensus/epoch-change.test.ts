import { describe, expect, test } from "bun:test";
import { Cluster } from "#test/support/replica-cluster.ts";
import { validatorsHashOf } from "@/core/consensus/digest.ts";
import { genesisDurable } from "@/core/consensus/durable.ts";
import { newCommittee } from "@/core/consensus/quorum.ts";
import type { EpochProof, PublicKey } from "@/core/consensus/types.ts";
import { Solo } from "./solo.ts";
import { hashOf } from "./world.ts";

const CHANGE = Uint8Array.of(0xff, 0, 1, 2, 4);

/** Six replicas, the first four of which vote; then 4 takes the place of 3. */
function changed(): Cluster {
  const cluster = new Cluster(6, {}, 4).start();
  for (let at = 0; at < 3; at++) cluster.submit(Uint8Array.of(at));
  return cluster.submit(CHANGE).advance(1_000);
}

describe("an epoch (§10.3)", () => {
  test("ends when the application wants other validators, for all at one block", () => {
    const cluster = changed();
    for (const { replica } of cluster.hosts) {
      expect(replica.committee).toMatchObject({ epoch: 2, genesisHeight: 5 });
      expect(replica).toMatchObject({ view: 1, status: "idle", halted: null });
    }
    expect(cluster.hosts.map(({ replica }) => replica.me)).toEqual([0, 1, 2, null, 3, null]);
    cluster.submit(Uint8Array.of(9));
    expect(new Set(cluster.hosts.map(({ chain }) => chain.length))).toEqual(new Set([7]));
  });

  test("changes its record and its commit in one write, after its proof", () => {
    const cluster = changed();
    const { effects } = cluster.host(0);
    const at = effects.findIndex(({ type }) => type === "switch_epoch");
    const [proven, written, committed] = effects.slice(at);
    expect(proven?.type).toBe("switch_epoch");
    expect(written).toMatchObject({ type: "persist", lazy: false, durable: { epoch: 2 } });
    expect(committed).toMatchObject({ type: "commit", blocks: [{ header: { height: 5 } }] });
  });

  test("can end twice in a row, also when executing is slow", () => {
    const cluster = changed();
    cluster.submit(Uint8Array.of(0xff, 0, 1, 2, 3)).advance(1_000);
    cluster.submit(Uint8Array.of(9));
    expect(cluster.host(3).replica).toMatchObject({ me: 3, halted: null });
    expect(cluster.host(3).replica.committee.epoch).toBe(3);
    expect(new Set(cluster.hosts.map(({ chain }) => chain.length)).size).toBe(1);
  });

  test("is caught up with by who was away: proofs, then blocks", () => {
    const cluster = new Cluster(6, {}, 4).start();
    cluster.passes = ({ to, from }) => to !== 3 && from !== 3;
    for (let at = 0; at < 3; at++) cluster.submit(Uint8Array.of(at));
    cluster.submit(CHANGE).advance(3_000);
    cluster.submit(Uint8Array.of(0xff, 0, 1, 2, 3)).advance(3_000);
    expect(cluster.host(0).replica.committee.epoch).toBe(3);
    expect(cluster.host(3).replica.committee.epoch).toBe(1);
    cluster.passes = () => true;
    cluster.advance(60_000);
    expect(cluster.host(3).replica.committee.epoch).toBe(3);
    expect(cluster.host(3).chain.length).toBe(cluster.host(0).chain.length);
  });
});

/** A replica whose application wants other validators, as of the genesis. */
function ending() {
  const solo = new Solo();
  const { genesis, committee } = solo.world;
  const next = [...committee.validators.slice(1), hashOf(0x77) as string as PublicKey];
  const execution = { height: 0, root: genesis.header.execRoot, pendingValidators: next };
  solo.boot({ executed: execution });
  const nextValidatorsHash = validatorsHashOf(next);
  return { solo, next, execution, final: { nextValidatorsHash } };
}

describe("an epoch-final block (§10.3)", () => {
  test("is proposed by who leads when others are wanted, without other work", () => {
    const { solo, final } = ending();
    expect(solo.replica.status).toBe("active");
    solo.hear({ type: "tc", tc: solo.world.timeout(4) });
    solo.fire("leader_wait");
    expect(solo.sent("proposal")).toMatchObject([{ block: { header: final } }]);
  });

  test.each([
    ["is voted for", {}, true],
    [
      "with another set than the application wants is refused",
      { nextValidatorsHash: hashOf(1) },
      false,
    ],
  ])("%s", (_, header, isFine) => {
    const { solo, final } = ending();
    const justify = solo.world.certified;
    solo.hear(solo.propose(solo.block(1, justify, { ...final, ...header }), justify));
    expect(solo.said.includes("vote")).toBe(isFine);
  });

  test("with the set that is there already is refused", () => {
    const solo = new Solo();
    const { genesis, committee } = solo.world;
    const pendingValidators = committee.validators;
    solo.boot({ executed: { height: 0, root: genesis.header.execRoot, pendingValidators } });
    expect(solo.replica.status).toBe("idle");
    const nextValidatorsHash = validatorsHashOf(committee.validators);
    const justify = solo.world.certified;
    solo.hear(solo.propose(solo.block(1, justify, { nextValidatorsHash }), justify));
    expect(solo.said).toEqual([]);
  });

  test("whose executed height I have not executed waits", () => {
    const { solo, final } = ending();
    const first = solo.block(1, solo.world.certified, { execHeight: 3 });
    const cert = solo.certify(first);
    solo.hear({ type: "prepare", cert });
    solo.hear({ type: "blocks", blocks: [first], cert: null });
    solo.hear(solo.propose(solo.block(2, cert, { ...final, execHeight: 3 }), cert));
    expect(solo.said).toEqual([]);
    expect(solo.replica.proposals.get(2)?.isRefused).toBe(false);
  });

  test("has only empty blocks above it that say they close, by leaders and by voters", () => {
    const { solo, final } = ending();
    const first = solo.block(1, solo.world.certified, final);
    const cert = solo.certify(first);
    const closing = first.hash;
    const payload = { inline: [Uint8Array.of(1)], batches: [] };
    for (const [block, isFine] of [
      [solo.block(2, cert), false],
      [solo.block(2, cert, { closing, ...final }), false],
      [solo.block(2, cert, { closing }, payload), false],
      [solo.block(2, cert, { closing }), true],
    ] as const) {
      const one = ending().solo;
      one.hear(one.propose(first, one.world.certified));
      one.hear(one.propose(block, one.certify(first)));
      expect(one.said.includes("vote")).toBe(isFine);
    }
    solo.hear(solo.propose(first, solo.world.certified));
    solo.hear({ type: "prepare", cert });
    solo.hear({ type: "tc", tc: solo.world.timeout(4) });
    solo.work();
    solo.fire("leader_wait");
    solo.fire("commit_grace");
    const [proposal] = solo.sent("proposal");
    expect(proposal?.block.header).toMatchObject({ closing, nextValidatorsHash: null, txCount: 0 });
  });

  test("ends the epoch although only an empty block above it is committed", () => {
    const { solo, final } = ending();
    const first = solo.block(1, solo.world.certified, final);
    const second = solo.block(2, solo.certify(first), { closing: first.hash });
    solo.hear({ type: "decide", cert: solo.certify(second, "C") });
    solo.hear({ type: "blocks", blocks: [second, first], cert: null });
    expect(solo.did("commit")).toMatchObject([{ blocks: [first] }]);
    expect(solo.did("switch_epoch")).toMatchObject([{ committee: { epoch: 2, genesisHeight: 1 } }]);
    expect(solo.replica.committed.hash).toBe(first.hash);
  });

  test("with a block above it that does not close is an alarm when it is final", () => {
    const { solo, final } = ending();
    const first = solo.block(1, solo.world.certified, final);
    const second = solo.block(2, solo.certify(first));
    solo.hear({ type: "decide", cert: solo.certify(second, "C") });
    solo.hear({ type: "blocks", blocks: [second, first], cert: null });
    expect(solo.did("alarm")).toMatchObject([{ alarm: "safety" }]);
    expect(solo.did("commit")).toEqual([]);
  });

  test("waits for who the next validators are, and what is below it does not", () => {
    const { next, final } = ending();
    const solo = new Solo().boot();
    const below = solo.block(1, solo.world.certified);
    const last = solo.block(2, solo.certify(below), final);
    const cert = solo.certify(last, "C");
    solo.hear({ type: "decide", cert });
    solo.hear({ type: "blocks", blocks: [last, below], cert: null });
    expect(solo.did("commit")).toMatchObject([{ blocks: [below] }]);
    expect(solo.did("switch_epoch")).toEqual([]);
    solo.give({ type: "executed", height: 1, root: hashOf(1), pendingValidators: next });
    expect(solo.did("switch_epoch")).toHaveLength(1);
    expect(solo.did("commit")).toMatchObject([{ blocks: [last] }]);
  });

  test("that was committed before the record of it was lost needs only the proof (§8.2)", () => {
    const { next, final } = ending();
    const solo = new Solo();
    const block = solo.block(1, solo.world.certified, final);
    solo.boot({ committed: block.header });
    const cert = solo.certify(block, "C");
    solo.hear({ type: "decide", cert });
    expect(solo.did("switch_epoch")).toEqual([]);
    const proof: EpochProof = { headers: [block.header], cert, validators: next };
    solo.give({ type: "epoch_start", proof });
    expect(solo.did("switch_epoch")).toHaveLength(1);
    expect(solo.did("commit")).toEqual([]);
  });
});

describe("an epoch whose record is on disk while the chain lags behind (§8.2)", () => {
  /** Blocks 1 and 2, the second of which ends epoch 1, and a replica that has committed neither. */
  function behind(kept: number) {
    const { next, final } = ending();
    const solo = new Solo();
    const first = solo.block(1, solo.world.certified);
    const last = solo.block(2, solo.certify(first), final);
    const epoch = { epoch: 2, validators: next, genesis: last.hash, genesisHeight: 2 };
    const committee = newCommittee(epoch);
    const blocks = [first, last];
    const durable = genesisDurable(committee);
    solo.boot({ durable, committee, blocks: blocks.slice(0, kept) });
    return { solo, blocks, next };
  }

  test("commits what led to it at once", () => {
    const { solo, blocks } = behind(2);
    expect(solo.did("commit")).toMatchObject([{ blocks }]);
    expect(solo.did("switch_epoch")).toEqual([]);
    expect(solo.replica).toMatchObject({ view: 1, status: "idle", uncommitted: null });
  });

  test("asks all its validators for what is missing", () => {
    const { solo, blocks, next } = behind(1);
    const others = next.filter((key) => key !== solo.config.me);
    const [fetch] = solo.did("fetch");
    expect(fetch).toMatchObject({ hash: blocks[1]?.hash, untilHeight: 0 });
    expect(fetch?.from.toSorted()).toEqual(others.toSorted());
    solo.give({
      type: "message",
      from: others[0] as PublicKey,
      message: { type: "blocks", blocks: blocks.slice(1), cert: null },
    });
    expect(solo.did("commit")).toMatchObject([{ blocks }]);
  });
});

describe("a message of another epoch (§10.3)", () => {
  test("of one that is over is answered with proofs, once in Δ", () => {
    const solo = new Solo().boot();
    solo.give({
      type: "message",
      from: solo.world.signer(0).publicKey,
      message: solo.status({ epoch: 0 }),
    });
    expect(solo.did("serve_epochs")).toMatchObject([{ fromEpoch: 0 }]);
    solo.give({
      type: "message",
      from: solo.world.signer(0).publicKey,
      message: solo.status({ epoch: 0 }),
    });
    expect(solo.effects).toEqual([]);
  });

  test("of one to come makes me ask for proofs", () => {
    const solo = new Solo().boot();
    solo.give({
      type: "message",
      from: solo.world.signer(0).publicKey,
      message: solo.status({ epoch: 5 }),
    });
    expect(solo.sent("get_epoch_proofs")).toEqual([{ type: "get_epoch_proofs", fromEpoch: 1 }]);
  });

  test("that asks for proofs gets them", () => {
    const solo = new Solo().boot();
    solo.hear({ type: "get_epoch_proofs", fromEpoch: 0 });
    expect(solo.did("serve_epochs")).toMatchObject([{ fromEpoch: 0 }]);
  });

  test("from myself is nothing", () => {
    const solo = new Solo().boot();
    solo.give({ type: "message", from: solo.config.me, message: solo.status({ epoch: 0 }) });
    expect(solo.effects).toEqual([]);
  });

  test.each([
    ["that proves nothing", (proof: EpochProof) => ({ ...proof, validators: [] })],
    ["of another epoch", (proof: EpochProof) => ({ ...proof, headers: [] })],
  ])("with a proof %s is nothing", (_, broken) => {
    const { next, final } = ending();
    const solo = new Solo().boot();
    const block = solo.block(1, solo.world.certified, final);
    const proof = { headers: [block.header], cert: solo.certify(block, "C"), validators: next };
    solo.hear({ type: "epoch_proofs", proofs: [broken(proof)] });
    expect(solo.effects).toEqual([]);
    solo.hear({ type: "epoch_proofs", proofs: [proof] });
    expect(solo.did("fetch")).toMatchObject([{ hash: block.hash }]);
  });

  test("whose certificate ends mine says nothing more", () => {
    const { solo, final } = ending();
    const block = solo.block(1, solo.world.certified, final);
    solo.hear(solo.propose(block, solo.world.certified));
    const cert = solo.certify(block, "C");
    const second = solo.block(2, solo.certify(block), { closing: block.hash });
    solo.hear(solo.propose(second, solo.certify(block), null, cert));
    expect(solo.replica.committee.epoch).toBe(2);
    expect(solo.replica.proposals.size).toBe(0);
  });
});

test("sets are remembered as long as one epoch may name them", () => {
  const solo = new Solo().boot();
  for (let height = 1; height <= 100; height++) {
    const pendingValidators = [hashOf(height) as string as PublicKey];
    solo.give({ type: "executed", height, root: hashOf(1), pendingValidators });
  }
  expect(solo.replica.sets.size).toBe(64);
});

test("a record of another epoch than its committee's is not booted from", () => {
  const solo = new Solo();
  const durable = { ...genesisDurable(solo.world.committee), epoch: 2 };
  expect(() => solo.boot({ durable })).toThrow();
});

test("a new epoch is told at once, so that who has missed the end of the old one can ask", () => {
  const cluster = new Cluster(4).start();
  const lost = ["vote", "decide", "new_view"];
  cluster.passes = ({ from, to, message }) => {
    const isThree = from !== to && (from === 3 || to === 3);
    return !isThree || !lost.includes(message.type);
  };
  cluster.submit(Uint8Array.of(0xff, 0, 1, 2)).advance(1);
  expect(cluster.hosts.map(({ replica }) => replica.committee.epoch)).toEqual([2, 2, 2, 2]);
});
