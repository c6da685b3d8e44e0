import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { CHAIN, Cluster } from "#test/support/replica-cluster.ts";
import { Ed25519Scheme } from "@/core/consensus/ed25519.ts";
import { encodeMessage } from "@/core/consensus/message-codec.ts";
import { isVerified } from "@/core/consensus/verify-message.ts";

const README = readFileSync(join(import.meta.dir, "../../../src/core/consensus/README.md"), "utf8");
const SIZES = [4, 7, 16, 100] as const;
/** From here on every proposal carries certificates that are signed. */
const BLOCKS = 4;

/** Replicas that all verify what they get, with a memory of their own. */
class Costing {
  readonly cluster: Cluster;
  readonly checks: number[];
  messages = 0;
  bytes = 0;
  newViews = 0;
  newViewBytes = 0;
  #made = 0;

  constructor(n: number) {
    this.cluster = new Cluster(n).start();
    this.checks = new Array<number>(n).fill(0);
    const schemes = this.cluster.hosts.map((host, at) => {
      const scheme = new Ed25519Scheme(CHAIN, { verify: () => this.#checked(at) });
      host.config = { ...host.config, scheme };
      return scheme;
    });
    this.cluster.passes = ({ to, message }) => {
      const scheme = schemes[to];
      expect(scheme && isVerified(scheme, this.cluster.committee, message)).toBe(true);
      const size = encodeMessage(message).length;
      if (message.type === "new_view") {
        this.newViews++;
        this.newViewBytes += size;
      } else {
        this.messages++;
        this.bytes += size;
      }
      return true;
    };
  }

  #checked(at: number): true {
    this.checks[at] = (this.checks[at] ?? 0) + 1;
    return true;
  }

  /** One more block. Its one transaction has no bytes; its length, four in each proposal, is left out. */
  block(): this {
    this.checks.fill(0);
    this.messages = this.newViews = this.newViewBytes = 0;
    this.bytes = -4 * (this.checks.length - 1);
    for (const { effects } of this.cluster.hosts) effects.length = 0;
    this.cluster.submit(Uint8Array.of());
    this.#countSends();
    return this;
  }

  #countSends(): void {
    const sends = this.cluster.hosts.flatMap(({ effects }) =>
      effects.flatMap((effect) => (effect.type === "send" ? [effect] : [])),
    );
    this.#made = sends.filter(({ message: { type } }) => /proposal|vote/.test(type)).length;
    // A NewView that was sent before the last commit votes came: who has committed answers it.
    for (const { message } of sends.filter(({ to }) => to !== "all"))
      if (message.type === "decide") {
        this.messages--;
        this.bytes -= encodeMessage(message).length;
      }
  }

  get made(): number {
    return this.#made;
  }
}

const costs = SIZES.map((n) => {
  const costing = new Costing(n);
  for (let count = 0; count < BLOCKS; count++) costing.block();
  return costing;
});

const ROWS: readonly (readonly [string, (costing: Costing) => number])[] = [
  ["messages", ({ messages }) => messages],
  ["and NewViews", ({ newViews }) => newViews],
  ["bytes", ({ bytes }) => bytes],
  ["and NewViews", ({ newViewBytes }) => newViewBytes],
  ["signatures made", ({ made }) => made],
  ["signatures checked, by a replica at least", ({ checks }) => Math.min(...checks)],
  ["and at most", ({ checks }) => Math.max(...checks)],
];

test.each(ROWS)("the README says what a block costs: %s", (name, cost) => {
  const cells = costs.map((costing) => cost(costing).toLocaleString("en-US"));
  expect(README).toContain(`\n| ${[name, ...cells].join(" | ")} |\n`);
});
