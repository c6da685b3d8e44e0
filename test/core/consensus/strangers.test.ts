import { expect, test } from "bun:test";
import { Cluster } from "#test/support/replica-cluster.ts";
import { seededRandom } from "#test/support/seeded-random.ts";
import { epochOf } from "@/core/consensus/epoch-sync.ts";
import { decodeMessage, encodeMessage } from "@/core/consensus/message-codec.ts";
import type { Message } from "@/core/consensus/messages.ts";
import { isVerified } from "@/core/consensus/verify-message.ts";
import { toHex } from "@/std/bytes.ts";
import { PoolError } from "@/std/errors.ts";

/** Bytes as a stranger may change them: bits, a byte, the end, or a piece of something else. */
function changed(bytes: Uint8Array, other: Uint8Array, below: (count: number) => number) {
  const copy = bytes.slice();
  const at = below(copy.length);
  const length = below(12);
  const ways = [
    () => copy,
    () => copy.subarray(0, at),
    () => copy.fill(below(256), at, at + 1 + below(8)),
    () => copy.map((byte, place) => (place === at ? byte ^ (1 << below(8)) : byte)),
    () => {
      copy.set(other.subarray(at, at + length).subarray(0, copy.length - at), at);
      return copy;
    },
  ];
  return ways[below(ways.length)]?.() ?? copy;
}

/** The message in these bytes; nothing but a refusal may come of any bytes. */
function read(bytes: Uint8Array): Message | null {
  try {
    const message = decodeMessage(bytes);
    expect(toHex(encodeMessage(message))).toBe(toHex(bytes));
    return message;
  } catch (error) {
    if (error instanceof PoolError && error.code === "consensus.malformed") return null;
    throw error;
  }
}

/** A cluster that has committed, lost a leader and changed its validators, and all that was said. */
function eventful(n: number): { cluster: Cluster; heard: Uint8Array[] } {
  const cluster = new Cluster(n).start();
  const heard: Uint8Array[] = [];
  let isLossy = false;
  cluster.passes = ({ from, message }) => {
    heard.push(encodeMessage(message));
    return !(isLossy && from === 0);
  };
  for (let at = 0; at < 3; at++) cluster.submit(Uint8Array.of(at));
  isLossy = true;
  cluster.submit(Uint8Array.of(9)).advance(8_000);
  isLossy = false;
  const members = Array.from({ length: n }, (_, at) => (at + 1) % n);
  cluster.submit(Uint8Array.of(0xff, ...members)).advance(20_000);
  return { cluster, heard };
}

/** Whether a runtime would let it through to this replica. */
function passes(cluster: Cluster, to: number, message: Message): boolean {
  const { committee } = cluster.host(to).replica;
  const isElsewhere = (epochOf(message) ?? committee.epoch) !== committee.epoch;
  return isElsewhere || isVerified(cluster.book, committee, message);
}

/** Gives replicas so many changed messages; how many got through. */
function annoy(cluster: Cluster, heard: readonly Uint8Array[], count: number): number {
  const random = seededRandom(cluster.hosts.length);
  const below = (limit: number) => Math.floor(random() * limit);
  const pick = () => heard[below(heard.length)] ?? new Uint8Array(0);
  let taken = 0;
  for (let sent = 0; sent < count; sent++) {
    const [to, from] = [below(cluster.hosts.length), below(cluster.hosts.length)];
    const message = read(changed(pick(), pick(), below));
    if (message === null || !passes(cluster, to, message)) continue;
    cluster.give(to, { type: "message", from: cluster.host(from).config.me, message });
    taken++;
  }
  return taken;
}

test.each([4, 7])("%d replicas go on, whatever strangers send them", (n) => {
  const { cluster, heard } = eventful(n);
  expect(annoy(cluster, heard, 4_000)).toBeGreaterThan(100);
  cluster.settle();
  const before = cluster.host(0).chain.length;
  cluster.submit(Uint8Array.of(77)).advance(60_000);
  const lengths = cluster.hosts.map(({ chain }) => chain.length);
  expect(Math.min(...lengths)).toBeGreaterThan(before);
  expect(new Set(cluster.hosts.map(({ chain }) => chain.at(-1)?.hash)).size).toBe(1);
  expect(cluster.hosts.map(({ replica }) => replica.halted)).toEqual(Array(n).fill(null));
});
