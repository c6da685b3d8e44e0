import type { Execution } from "@/core/consensus/events.ts";
import type { Committee } from "@/core/consensus/quorum.ts";
import type { Block, EpochProof, Hash, Ms } from "@/core/consensus/types.ts";
import { type AppState, readTx } from "./application.ts";
import type { Found } from "./disk.ts";
import type { Surroundings } from "./surroundings.ts";

/** What a branch holds, remembered while its tip and its end stay the same. */
interface Branch {
  readonly tip: Hash;
  readonly end: number;
  readonly ids: ReadonlySet<number>;
}

type World = Pick<Surroundings, "app" | "genesis" | "genesisApp">;

/** The blocks of a process: what is committed, what is executed, and what lies above. */
export class HostChain {
  readonly blocks = new Map<Hash, Block>();
  readonly proofs = new Map<number, EpochProof>();
  committed: Block;
  app: AppState;
  /** After the heights before, as far back as the header that was committed at the start asks for. */
  executedBefore: readonly Execution[] = [];
  readonly #world: World;
  /** What the clock of the host shows. */
  readonly #clock: () => Ms;
  #branch: Branch | null = null;

  constructor(world: World, clock: () => Ms) {
    this.#world = world;
    this.#clock = clock;
    this.committed = world.genesis;
    this.app = world.genesisApp;
  }

  /**
   * Takes over what was on disk and executes it anew (§8.2); the committee its record is of. The chain
   * is behind its record when the crash came between the two.
   */
  load({ durable, blocks, committees, proofs, committed }: Found, isBehind: boolean): Committee {
    const { genesis } = this.#world;
    this.#branch = null;
    this.blocks.clear();
    for (const [hash, block] of blocks) this.blocks.set(hash, block);
    this.blocks.set(genesis.hash, genesis);
    this.proofs.clear();
    for (const [epoch, proof] of proofs) this.proofs.set(epoch, proof);
    const known = isBehind ? undefined : durable?.commitCert.block;
    this.committed = this.#get(known ?? committed ?? genesis.hash);
    this.app = this.#replayed(this.committed);
    const { height } = this.committed.header;
    const committee = durable
      ? committees.get(durable.epoch)
      : [...committees.values()].findLast(({ genesisHeight }) => genesisHeight <= height);
    if (!committee) throw new Error("it boots without the committee of its epoch");
    return committee;
  }

  /** A block its record says it has; without it the record came to disk too early. */
  #get(hash: Hash): Block {
    const block = this.blocks.get(hash);
    if (!block) throw new Error(`it boots without the block it committed, ${hash.slice(0, 6)}`);
    return block;
  }

  #replayed(tip: Block): AppState {
    const { app, genesisApp } = this.#world;
    const path: Block[] = [];
    for (let block = tip; block.header.height > 0; block = this.#get(block.header.parent))
      path.push(block);
    const before: Execution[] = [];
    let state = genesisApp;
    for (const block of path.toReversed()) {
      if (state.height >= tip.header.execHeight) before.push(executionOf(state));
      state = app.execute(state, block, this.#clock());
    }
    this.executedBefore = before;
    return state;
  }

  /** All blocks above the committed one, parents first. */
  above(): readonly Block[] {
    const { height } = this.committed.header;
    return [...this.blocks.values()]
      .filter((block) => block.header.height > height)
      .sort((a, b) => a.header.height - b.header.height || (a.hash < b.hash ? -1 : 1));
  }

  commit(blocks: readonly Block[]): void {
    for (const block of blocks) this.blocks.set(block.hash, block);
    this.committed = blocks.at(-1) ?? this.committed;
  }

  /** Executes one more committed block; false when there is none. */
  execute(): boolean {
    let block: Block | undefined = this.committed;
    while (block && block.header.height > this.app.height + 1)
      block = this.blocks.get(block.header.parent);
    if (block?.header.height !== this.app.height + 1) return false;
    this.app = this.#world.app.execute(this.app, block, this.#clock());
    return true;
  }

  /** What the replica is told of the application. */
  execution(): Execution {
    return executionOf(this.app);
  }

  /** The transactions on a branch that are not executed yet. */
  idsOn(tip: Hash): ReadonlySet<number> {
    const end = this.app.height;
    if (this.#branch?.tip === tip && this.#branch.end === end) return this.#branch.ids;
    const ids = new Set<number>();
    let block = this.blocks.get(tip);
    while (block && block.header.height > end) {
      for (const tx of block.payload.inline) ids.add(readTx(tx).id);
      block = this.blocks.get(block.header.parent);
    }
    this.#branch = { tip, end, ids };
    return ids;
  }
}

function executionOf({ height, root, requested }: AppState): Execution {
  return { height, root, pendingValidators: requested[0] ?? null };
}
