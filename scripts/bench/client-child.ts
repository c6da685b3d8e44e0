import { Beating } from "./beating.ts";
import {
  grantRequest,
  keepAliveRequest,
  LEASE_GRANT_PATH,
  LEASE_KEEP_ALIVE_PATH,
} from "./leases.ts";
import { type Burst, Lines, type Target } from "./lines.ts";

/** Where a client sends: the pool, or what it is compared with. */
export type Side = "pool" | "baseline";

/** What a client process is started with: one line to each side for each seed. */
export interface ClientTerms {
  readonly seeds: readonly Uint8Array[];
  readonly poolKey: Uint8Array;
  readonly slotSeconds: number;
  readonly pool: Target;
  readonly baseline: Target;
  /** Calls and messages under way at once. */
  readonly window: number;
}

/** Some nodes in a process: the same code sends to the pool and to the baseline. */
export async function openClient({ seeds, pool, baseline, window, ...terms }: ClientTerms) {
  const beating = seeds.map((seed) => new Beating(seed, terms));
  const lines = { pool: await Lines.open(pool), baseline: await Lines.open(baseline) };
  let heartbeats: Buffer[] = [];
  let leases: Buffer[] = [];
  const take = (replies: readonly Buffer[]): void => {
    for (const [at, reply] of replies.entries()) beating[at]?.take(reply);
  };
  return {
    /** Signs the heartbeats of a slot; answers how long one is. */
    prepare(slot: number): number {
      heartbeats = beating.map((node) => node.next(slot));
      return heartbeats[0]?.length ?? 0;
    },
    async calls({ side, path }: { side: Side; path: string }): Promise<Burst> {
      const { replies, ...burst } = await lines[side].calls(path, heartbeats, window);
      if (side === "pool") take(replies);
      else requireSame(replies, heartbeats);
      return burst;
    },
    /** A lease for each line at etcd, and a stream that keeps it alive. */
    async lease(_: null): Promise<void> {
      const ids = seeds.map((seed) => Buffer.from(seed).readBigUInt64BE() >> 1n);
      await lines.baseline.calls(LEASE_GRANT_PATH, ids.map(grantRequest), window);
      leases = ids.map(keepAliveRequest);
      lines.baseline.openStreams(LEASE_KEEP_ALIVE_PATH);
    },
    stream: (path: string) => lines.pool.openStreams(path),
    async writes(side: Side): Promise<Burst> {
      const messages = side === "pool" ? heartbeats : leases;
      const { replies, ...burst } = await lines[side].writes(messages, window);
      if (side === "pool") take(replies);
      return burst;
    },
  };
}

function requireSame(replies: readonly Buffer[], sent: readonly Buffer[]): void {
  if (!replies.every((reply, at) => sent[at]?.equals(reply))) throw new Error("an echo was wrong");
}
