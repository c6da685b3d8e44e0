import { readFileSync } from "node:fs";
import { join } from "node:path";
import { nodeCaller } from "@/core/caller.ts";
import { nodeIdOf } from "@/core/ids.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { signingKey } from "@/std/crypto.ts";
import { BenchPool, numbersFrom, type PoolTerms, seedOf } from "./bench-pool.ts";
import { Child } from "./child.ts";
import { DirectNode } from "./direct-node.ts";
import type { Figure } from "./figure.ts";
import { Postgres } from "./postgres.ts";
import { writtenBytes } from "./processes.ts";

const NODES = 100;
const HOUR_SECONDS = 3_600;
/** A certificate of 24 hours is renewed at half of its life. */
const RENEWALS_PER_HOUR = NODES / 12;
const PAGE_BYTES = 4_096;
const MB = 1e6;

/** Bytes written to the disk in a day. */
export const written: Figure = {
  name: "written",
  async measure({ folder: all, short, database }) {
    await using stack = new AsyncDisposableStack();
    const folder = join(all, "written");
    const postgres =
      database === "postgres"
        ? stack.use(Postgres.start(join(all, "postgres-written")))
        : undefined;
    const set = postgres ? [`database.url=${postgres.url}`] : [];
    const pool = stack.use(
      await Child.start(openDay, {
        file: join(import.meta.dir, "written.ts"),
        terms: { folder, clock: "turned", set },
      }),
    );
    const hours = short ? 3 : 24;
    await pool.ask("hour", null);
    const log = () => readFileSync(join(folder, "pool.log"), "utf8").split("\n").length;
    const bytes = () => writtenBytes(pool.pid) + (postgres?.writtenBytes() ?? 0);
    const [before, linesBefore] = [bytes(), log()];
    for (let hour = 0; hour < hours; hour++) await pool.ask("hour", null);
    const perDay = ((bytes() - before) * 24) / hours;
    const lines = ((log() - linesBefore) * 24) / hours;
    return [
      {
        name: `written in a day with ${NODES} nodes, ${database}`,
        value: (perDay + lines * PAGE_BYTES) / MB,
        unit: "MB",
        goal: { of: "value", most: 40 },
        notes: [
          `write_bytes of ${postgres ? "the pool and the server's processes" : "the pool"} over ${hours} hours of turned clock with every commit on the disk: closes, bookings, payout runs, prunes, ${Math.round(RENEWALS_PER_HOUR * 24)} renewals a day: ${(perDay / MB).toFixed(1)} MB`,
          `and ${Math.round(lines)} lines of log a day, each counted as a page of its own`,
        ],
      },
    ];
  },
};

/** A pool whose nodes live through hours. */
export async function openDay(terms: PoolTerms) {
  const bench = await BenchPool.open(terms);
  await bench.admit(1, NODES);
  const reached = bench.reached();
  const nodes = numbersFrom(1, NODES).map((number) => new DirectNode(number, reached));
  const poot = bench.kernel.service("poot");
  let [renewed, due] = [0, 0];
  return {
    async hour(_: null): Promise<void> {
      for (let slots = HOUR_SECONDS / reached.slotSeconds; slots > 0; slots--) {
        const slot = await bench.nextSlot();
        for (const node of nodes) node.beat(poot, slot);
      }
      for (due += RENEWALS_PER_HOUR; renewed < due; renewed++) await renew(bench, renewed);
    },
  };
}

async function renew({ kernel }: BenchPool, count: number): Promise<void> {
  const seed = seedOf(1 + (count % NODES));
  const node = nodeIdOf(signingKey(seed).publicKey);
  const csr = await createCertificates().createRequest(seed);
  const request = { csr, oldKeySignature: new Uint8Array(), trustedPin: new Uint8Array(), node };
  await kernel.service("access").renew("127.0.0.1", nodeCaller(node), request);
}
