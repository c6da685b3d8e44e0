import type { SignedCheckpoint } from "@/core/audit/checkpoint.ts";
import { type AuditEntry, entryBytes, entryHash } from "@/core/audit/entry.ts";
import { originOf } from "@/core/audit/log-names.ts";
import { type Hash, MerkleTree } from "@/core/audit/merkle.ts";
import { namedCheckpoint, RECALLED, RESTARTED } from "@/core/audit/restart.ts";
import { type Run, Sequence } from "@/core/audit/sequence.ts";
import type { Database } from "@/ports/database.ts";
import { sameBytes } from "@/std/bytes.ts";
import {
  countBelow,
  type Epoch,
  firstFrom,
  newestEpoch,
  numbersFrom,
  restartRow,
  rowsFrom,
  runsOf,
  saveRun,
} from "./log-rows.ts";

/** Rows that turn up late are looked for this far back; older ones at the next start. */
const LATE_ROWS = 1_000n;
/** So many leaves before the newest are read again before each signature. */
const RECENT = 256;
/** So many runs are kept in one commit. */
const RUNS_AT_ONCE = 500;

/** What a log is made from. */
export interface TreeParts {
  readonly database: Database;
  readonly installation: string;
  /** The key the log signs with. */
  readonly publicKey: Uint8Array;
}

/** An entry that names a checkpoint of an earlier log. */
export interface NamedEntry {
  readonly checkpoint: SignedCheckpoint;
  readonly leaf: number;
  readonly entry: Uint8Array;
}

/**
 * The rows of the audit as a tree: which row is which leaf is settled once and kept before it is used.
 * Rows without gaps need nothing kept: their order is their numbers.
 */
export class LogTree {
  readonly epoch: number;
  readonly origin: string;
  readonly #parts: TreeParts;
  readonly #sequence: Sequence;
  readonly #tree = new MerkleTree();
  readonly #named = new Map<string, NamedEntry>();
  #isStale = false;
  #restartedAtMs: number | undefined;

  private constructor(parts: TreeParts, { epoch, origin }: Epoch, runs: readonly Run[]) {
    this.#parts = parts;
    this.epoch = Number(epoch);
    this.origin = origin;
    this.#sequence = new Sequence(runs);
  }

  /** Reads the whole log; a row that was given a place and is gone ends it early. */
  static async load(parts: TreeParts): Promise<LogTree> {
    const epoch = (await newestEpoch(parts.database)) ?? {
      epoch: 1n,
      origin: originOf(parts.installation, "1"),
    };
    const runs = await runsOf(parts.database, epoch.epoch);
    const isNew = epoch.epoch > 1n && runs.length === 0;
    const tree = new LogTree(parts, epoch, isNew ? await firstRuns(parts.database, epoch) : runs);
    await tree.#fill();
    return tree;
  }

  get size(): number {
    return this.#tree.size;
  }

  /** Whether every row that was given a place is there. */
  get isWhole(): boolean {
    return this.#sequence.size === this.size;
  }

  /** Whether a commit failed, so that what is kept is not what is in memory: it must be read again. */
  get isStale(): boolean {
    return this.#isStale;
  }

  /** When this log began anew; undefined for the first one. */
  get restartedAtMs(): number | undefined {
    return this.#restartedAtMs;
  }

  root(size = this.size): Hash {
    return this.#tree.root(size);
  }

  inclusionProof(index: number, size: number): readonly Hash[] {
    return this.#tree.inclusionProof(index, size);
  }

  consistencyProof(from: number, to: number): readonly Hash[] {
    return this.#tree.consistencyProof(from, to);
  }

  leafHash(index: number): Hash {
    return this.#tree.leaf(index);
  }

  /** Which leaf a row is; undefined while it is none. */
  leafOf(row: bigint): number | undefined {
    const leaf = this.#sequence.leafOf(row);
    return leaf !== undefined && leaf < this.size ? leaf : undefined;
  }

  /** The entry that names the newest checkpoint known of an earlier log. */
  named(origin: string): NamedEntry | undefined {
    return this.#named.get(origin);
  }

  /** Whether a checkpoint of an earlier log is named, or an older one than is named. */
  covers(old: SignedCheckpoint): boolean {
    const named = this.#named.get(old.origin)?.checkpoint;
    if (!named || named.size < old.size) return false;
    return named.size > old.size || sameBytes(named.root, old.root);
  }

  /** Whether the log begins with a checkpoint of its own. */
  contains({ size, root }: SignedCheckpoint): boolean {
    return size <= this.size && sameBytes(this.root(size), root);
  }

  /** Whether there are rows behind the place where the log ends. */
  async hasMore(): Promise<boolean> {
    return (await firstFrom(this.#parts.database, this.#sequence.frontier)) !== undefined;
  }

  /** Takes in what was committed since; answers how many entries. A place out of order is kept first. */
  async append(): Promise<number> {
    const before = this.size;
    await this.#place(await this.#late(this.#sequence.frontier - LATE_ROWS));
    let found: AuditEntry[] = [];
    for await (const entry of rowsFrom(this.#parts.database, this.#sequence.frontier)) {
      if (found.push(entry) < RUNS_AT_ONCE) continue;
      await this.#place(found);
      found = [];
    }
    await this.#place(found);
    return this.size - before;
  }

  /** The row among the newest ones that is not as it was; undefined when all are. */
  async findChangedRow(): Promise<bigint | undefined> {
    const first = Math.max(0, this.size - RECENT);
    if (this.size === 0) return undefined;
    const seen = new Map<number, Hash>();
    const begin = this.#sequence.rowOf(first);
    for await (const entry of rowsFrom(this.#parts.database, begin)) {
      const leaf = this.leafOf(entry.number);
      if (leaf !== undefined) seen.set(leaf, entryHash(entry));
    }
    for (let leaf = first; leaf < this.size; leaf++) {
      const row = this.#sequence.rowOf(leaf);
      const hash = seen.get(leaf);
      if (row >= begin && !(hash && sameBytes(hash, this.#tree.leaf(leaf)))) return row;
    }
    return undefined;
  }

  async #place(entries: readonly AuditEntry[]): Promise<void> {
    const { database } = this.#parts;
    const runs = entries.flatMap(({ number }) => this.#sequence.place(number) ?? []);
    if (runs.length > 0) {
      this.#isStale = true;
      await database.commit(runs.map((run) => saveRun(database, BigInt(this.epoch), run)));
      this.#isStale = false;
    }
    for (const entry of entries) this.#add(entry);
  }

  #add(entry: AuditEntry): void {
    const leaf = this.size;
    this.#tree.append(entryHash(entry));
    if (leaf === 0 && this.epoch > 1) this.#restartedAtMs = Number(entry.atMs);
    if (entry.action !== RESTARTED && entry.action !== RECALLED) return;
    const bytes = entryBytes(entry);
    const checkpoint = namedCheckpoint(bytes, this.#parts.publicKey);
    if (!checkpoint || this.covers(checkpoint)) return;
    this.#named.set(checkpoint.origin, { checkpoint, leaf, entry: bytes });
  }

  /** Rows of numbers that were passed over, and that are there now. */
  async #late(first: bigint): Promise<AuditEntry[]> {
    if (!this.#sequence.hasGaps) return [];
    const late: AuditEntry[] = [];
    for await (const entry of rowsFrom(this.#parts.database, first)) {
      if (entry.number >= this.#sequence.frontier) break;
      if (this.#sequence.leafOf(entry.number) === undefined) late.push(entry);
    }
    return late;
  }

  async #fill(): Promise<void> {
    if (!(await this.#fillKept())) return;
    const kept = this.#sequence.frontier;
    for await (const entry of rowsFrom(this.#parts.database, this.#sequence.next)) {
      const hasPlace = entry.number < kept && this.#sequence.leafOf(entry.number) !== undefined;
      if (hasPlace || entry.number !== this.#sequence.next) break;
      this.#sequence.place(entry.number);
      this.#add(entry);
    }
    const rows = await countBelow(this.#parts.database, this.#sequence.frontier);
    if (rows > this.size) await this.#place(await this.#late(0n));
  }

  /** The leaves whose place was kept; false when one of their rows is gone. */
  async #fillKept(): Promise<boolean> {
    const kept = this.#sequence.size;
    while (this.size < kept) {
      const before = this.size;
      await this.#fillUpwards(kept);
      if (this.size === before) return false;
    }
    return true;
  }

  /** One pass over the rows, as long as the leaves go upwards. */
  async #fillUpwards(kept: number): Promise<void> {
    let wanted = this.#sequence.rowOf(this.size);
    for await (const entry of rowsFrom(this.#parts.database, wanted)) {
      if (entry.number < wanted) continue;
      if (entry.number > wanted) return;
      this.#add(entry);
      if (this.size === kept) return;
      const next = this.#sequence.rowOf(this.size);
      if (next < wanted) return;
      wanted = next;
    }
  }
}

/** A log that begins anew begins with the act that says so; then come all rows there are. */
async function firstRuns(database: Database, { epoch, origin }: Epoch): Promise<readonly Run[]> {
  const first = (await restartRow(database, origin)) ?? 1n;
  const sequence = new Sequence();
  const runs: Run[] = [sequence.place(first) ?? { leaf: 0, row: first }];
  for await (const number of numbersFrom(database, 1n, first)) {
    const run = sequence.place(number);
    if (run) runs.push(run);
  }
  runs.push({ leaf: sequence.size, row: first + 1n });
  for (let at = 0; at < runs.length; at += RUNS_AT_ONCE) {
    const some = runs.slice(at, at + RUNS_AT_ONCE);
    await database.commit(some.map((run) => saveRun(database, epoch, run)));
  }
  return runs;
}
