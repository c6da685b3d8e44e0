import { type Durable, decodeDurable, encodeDurable } from "@/core/consensus/durable.ts";
import type { Token } from "@/core/consensus/events.ts";
import type { Committee } from "@/core/consensus/quorum.ts";
import type { Block, EpochProof, Hash } from "@/core/consensus/types.ts";

/** One frame of the write-ahead log: whole on disk, or torn and worth nothing. */
export type Frame =
  | { readonly type: "record"; readonly durable: Durable; readonly token: Token }
  | { readonly type: "block"; readonly block: Block }
  | { readonly type: "epoch"; readonly committee: Committee; readonly proof: EpochProof | null }
  | { readonly type: "committed"; readonly hash: Hash };

/** What a start finds. */
export interface Found {
  /** Null when nothing was ever initialised, or a complete frame has a bad checksum. */
  readonly durable: Durable | null;
  readonly blocks: ReadonlyMap<Hash, Block>;
  readonly committees: ReadonlyMap<number, Committee>;
  readonly proofs: ReadonlyMap<number, EpochProof>;
  readonly committed: Hash | null;
}

/** How a disk, or who uses it, is wrong on purpose. */
export interface DiskBugs {
  /** Says that it is durable before it is. */
  readonly lies?: boolean;
  /** Takes the newest frame that can be read and does not look at checksums. */
  readonly takesAnyFrame?: boolean;
}

/**
 * A disk: what is appended is durable only when a sync that began later has ended, always a prefix;
 * of the rest a crash leaves any prefix.
 */
export class Disk {
  #frames: Frame[] = [];
  #durable = 0;
  #durableToken: Token = 0;
  #syncing: number | null = null;
  #isWanted = false;
  #rotten = false;
  /** Blocks that are durable. */
  readonly blocks = new Set<Hash>();
  readonly #bugs: DiskBugs;

  constructor(bugs: DiskBugs = {}) {
    this.#bugs = bugs;
  }

  /** The newest record that would be found after a crash now. */
  get record(): Durable | null {
    for (let at = this.#durable - 1; at >= 0; at--) {
      const frame = this.#frames[at];
      if (frame?.type === "record") return frame.durable;
    }
    return null;
  }

  get isSyncing(): boolean {
    return this.#syncing !== null;
  }

  append(frame: Frame, isUrgent: boolean): void {
    this.#frames.push(frame);
    this.#isWanted ||= isUrgent;
  }

  /** Whether this record and all before it are durable. */
  holds(token: Token): boolean {
    return token <= this.#durableToken;
  }

  /** Begins to sync when somebody waits for it; the caller ends it. */
  beginSync(): boolean {
    if (!this.#isWanted || this.#syncing !== null) return false;
    this.#syncing = this.#frames.length;
    this.#isWanted = false;
    if (this.#bugs.lies) this.#noteTokens(this.#durable, this.#syncing);
    return true;
  }

  /** The frames that have become durable. */
  endSync(): readonly Frame[] {
    const from = this.#durable;
    this.#durable = this.#syncing ?? from;
    this.#syncing = null;
    this.#noteTokens(from, this.#durable);
    const frames = this.#frames.slice(from, this.#durable);
    for (const frame of frames) if (frame.type === "block") this.blocks.add(frame.block.hash);
    return frames;
  }

  #noteTokens(from: number, to: number): void {
    for (let at = from; at < to; at++) {
      const frame = this.#frames[at];
      if (frame?.type === "record") this.#durableToken = frame.token;
    }
  }

  /** The power goes: of what was not durable, this part of it (0 to 1) survives, and no torn frame; how many are lost. */
  crash(survives: number): number {
    const written = this.#frames.length;
    const kept =
      this.#durable + Math.floor(survives * (this.#frames.length - this.#durable + 0.99));
    this.#frames.length = Math.min(kept, this.#frames.length);
    this.#durable = this.#frames.length;
    this.#durableToken = 0;
    this.#syncing = null;
    this.#isWanted = false;
    return written - this.#frames.length;
  }

  /** A complete frame changes by itself. */
  rot(): void {
    this.#rotten = true;
  }

  /** An older copy comes back: this part of it (0 to 1). */
  restore(part: number): void {
    this.#frames.length = Math.max(2, Math.floor(this.#frames.length * part));
    this.#durable = this.#frames.length;
  }

  /** Only what `validator init` wrote is left. */
  wipe(): void {
    this.restore(0);
  }

  /** What a start finds; the record takes the way over its bytes. */
  load(): Found {
    const blocks = new Map(this.#all("block").map(({ block }) => [block.hash, block]));
    const epochs = this.#all("epoch");
    this.blocks.clear();
    for (const hash of blocks.keys()) this.blocks.add(hash);
    return {
      durable: this.#newest(this.#all("record").map(({ durable }) => durable)),
      blocks,
      committees: new Map(epochs.map(({ committee }) => [committee.epoch, committee])),
      proofs: new Map(
        epochs.flatMap(({ committee, proof }) => (proof ? [[committee.epoch - 1, proof]] : [])),
      ),
      committed: this.#all("committed").at(-1)?.hash ?? null,
    };
  }

  #all<Type extends Frame["type"]>(type: Type): readonly Extract<Frame, { type: Type }>[] {
    const isOne = (frame: Frame): frame is Extract<Frame, { type: Type }> => frame.type === type;
    return this.#frames.filter(isOne);
  }

  #newest(records: readonly Durable[]): Durable | null {
    const isSkipped = this.#rotten && this.#bugs.takesAnyFrame;
    if (this.#rotten && !isSkipped) return null;
    const newest = records.at(isSkipped ? -1 - Math.min(4, records.length - 1) : -1);
    return newest ? decodeDurable(encodeDurable(newest)) : null;
  }
}
