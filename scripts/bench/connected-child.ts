import type { CertificatePair } from "@/ports/certificates.ts";
import { Beating } from "./beating.ts";
import { Lines } from "./lines.ts";

/** Nodes that are connected to a pool, and what they need for it. */
export interface ConnectedTerms {
  readonly seeds: readonly Uint8Array[];
  readonly identities: readonly CertificatePair[];
  readonly address: string;
  readonly rootPem: string;
  readonly poolKey: Uint8Array;
  readonly slotSeconds: number;
}

/** What the certificate of every pool says. */
export const POOL_NAME = "pool.galaxy-pool.internal";
/** The call that a node is connected with. */
export const STREAM_PATH = "/galaxy.pool.v1.Registry/HeartbeatStream";

const WINDOW = 16;

/** Connects nodes, each with a stream; they beat when told, or by themselves as the pool asks. */
export async function openConnected({ seeds, identities, ...pool }: ConnectedTerms) {
  const lines = await Lines.open({ ...pool, name: POOL_NAME, identities });
  lines.openStreams(STREAM_PATH);
  const nodes = seeds.map((seed) => new Beating(seed, pool));
  const beatOne = async (at: number): Promise<number> => {
    const node = nodes[at];
    if (!node) return 0;
    const slot = Math.floor(Date.now() / 1000 / pool.slotSeconds);
    return node.take(await lines.ask(at, node.next(slot))).nextInMs;
  };
  return {
    async beat(slot: number): Promise<void> {
      const { replies } = await lines.writes(
        nodes.map((node) => node.next(slot)),
        WINDOW,
      );
      for (const [at, reply] of replies.entries()) nodes[at]?.take(reply);
    },
    /** From now on each beats when the pool said to come. */
    async live(_: null): Promise<void> {
      const live = async (at: number): Promise<void> => {
        const nextInMs = await beatOne(at);
        setTimeout(() => void live(at), Math.max(nextInMs, 1));
      };
      await Promise.all(nodes.map((_, at) => live(at)));
    },
  };
}
