import { type SignedCheckpoint, signCheckpoint } from "@/core/audit/checkpoint.ts";
import { originOf } from "@/core/audit/log-names.ts";
import type { NoteKey } from "@/core/audit/note.ts";
import { RECALLED, RESTARTED, restartDetail } from "@/core/audit/restart.ts";
import { type Caller, systemCaller } from "@/core/caller.ts";
import type { Logger } from "@/kernel/log.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import { toBase32 } from "@/std/bytes.ts";
import type { SigningKey } from "@/std/crypto.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import { Turns } from "@/std/turns.ts";
import { CheckpointFile } from "./checkpoint-file.ts";
import { Cosignatures } from "./cosignatures.ts";
import { insertEpoch } from "./log-rows.ts";
import { LogTree, type TreeParts } from "./log-tree.ts";
import type { Audit } from "./service.ts";

/** What the log works with. */
export interface LogParts extends Omit<TreeParts, "publicKey"> {
  readonly files: Files;
  readonly clock: Clock;
  readonly random: Random;
  readonly audit: Pick<Audit, "row" | "made">;
  readonly key: SigningKey;
  readonly log: Logger;
  /** Told of a fault, and of entries that were lost. */
  readonly doubted?: (why: string) => void;
  readonly settings: LogSettings;
}

export interface LogSettings {
  /** How often a checkpoint is signed when there is something new. */
  readonly checkpointSeconds: number;
  /** After so many acts one is signed at once. */
  readonly checkpointEntries: number;
  /** How long after a start nothing is signed: witnesses may know of more. */
  readonly holdSeconds: number;
  readonly witnessesMax: number;
}

const SYSTEM = systemCaller("audit");
/** Of so many logs of ours a witness may show what is not known. */
const LOST_MAX = 16;
/** How often cosignatures alone are written. */
const KEEP_MS = 3_600_000;

/**
 * The audit log: one tree over all rows, signed checkpoints of it, and the cosignatures of witnesses.
 * A checkpoint is signed only over places that are kept, and shown only once it is on the disk. A log
 * that is not what it once signed is not signed any more; one that lost its end, because a backup was
 * restored, begins anew under another name and says from where.
 */
export class AuditLog {
  readonly #parts: LogParts;
  readonly #file: CheckpointFile;
  readonly #cosignatures: Cosignatures;
  readonly #turns = new Turns();
  readonly #heldUntilMs: number;
  #tree: LogTree | undefined;
  #newest: SignedCheckpoint | undefined;
  #fault: string | undefined;
  /** Checkpoints of ours that the log does not hold, the newest of each log: a backup was restored. */
  readonly #lost = new Map<string, SignedCheckpoint>();
  #signedAtMs = Number.NEGATIVE_INFINITY;
  #signedMade = 0;
  #keptAtMs: number;
  #isCosignedKept = true;

  constructor(parts: LogParts) {
    this.#parts = parts;
    this.#file = new CheckpointFile(parts.files);
    this.#cosignatures = new Cosignatures(parts.settings.witnessesMax);
    this.#keptAtMs = parts.clock.monotonic();
    this.#heldUntilMs = this.#keptAtMs + parts.settings.holdSeconds * 1_000;
    const { newest, cosigned, isDamaged } = this.#file.read();
    if (isDamaged) parts.log.error("the file of the newest checkpoint is damaged");
    this.#newest = newest;
    if (cosigned) this.#cosignatures.of(cosigned);
    if (newest) this.#cosignatures.of(newest);
  }

  get publicKey(): Uint8Array {
    return this.#parts.key.publicKey;
  }

  /** The newest checkpoint; undefined before the first. */
  get newest(): SignedCheckpoint | undefined {
    return this.#newest;
  }

  /** The newest checkpoint with the cosignatures it has by now. */
  get newestCosigned(): SignedCheckpoint | undefined {
    return this.#cosignatures.newest();
  }

  /** Of the newest checkpoints the one that most witnesses cosigned. */
  get cosigned(): SignedCheckpoint | undefined {
    return this.#cosignatures.most();
  }

  /** What is wrong with the log for good; nothing is signed any more. */
  get fault(): string | undefined {
    return this.#fault;
  }

  /** When the log began anew; undefined when it never did. */
  get restartedAtMs(): number | undefined {
    return this.#tree?.restartedAtMs;
  }

  /** The tree when it has been read and holds the newest checkpoint. */
  get whole(): LogTree | undefined {
    return this.#fault === undefined && this.#lost.size === 0 ? this.#tree : undefined;
  }

  /** The tree, once it is read; its proofs are those of the newest checkpoint and of all before. */
  async tree(): Promise<LogTree> {
    return this.#tree ?? this.#turns.take(() => this.#loaded());
  }

  /** Reads the log, and does what is due: to be called every few seconds. */
  step(): Promise<void> {
    return this.#turns.take(async () => {
      try {
        await this.#step();
      } catch (error) {
        if (!isRefusal(error)) throw error;
        this.#parts.log.warn({ problem: error.message }, "the audit log was not signed");
      }
    });
  }

  /** Reads every row again: what is on the disk is what was signed, or the log has a fault. */
  recheck(): Promise<void> {
    return this.#turns.take(async () => {
      this.#tree = undefined;
      await this.#loaded();
    });
  }

  /** Begins the log anew although it has a fault: an operator looked into it. */
  restart(caller: Caller, reason: string): Promise<void> {
    return this.#turns.take(async () => {
      const tree = await this.#loaded();
      const old = this.#latestLost() ?? this.#newest;
      if (this.#fault === undefined && this.#lost.size === 0) throw nothingWrong();
      await this.#beginAnew(tree, { caller, reason, old });
      await this.#sign(await this.#loaded());
    });
  }

  /** A checkpoint that a witness holds. It counts only if our own key signed it: the caller checks. */
  shown(checkpoint: SignedCheckpoint): void {
    const tree = this.#tree;
    if (tree && this.#isKnown(tree, checkpoint)) return;
    if (tree?.origin === checkpoint.origin && checkpoint.size <= (this.#newest?.size ?? 0)) {
      this.#fail(`a witness shows another log of ${checkpoint.size} entries with our signature`);
      return;
    }
    const { origin, size } = checkpoint;
    const known = this.#lost.get(origin);
    if (known ? known.size < size : this.#lost.size < LOST_MAX) this.#lost.set(origin, checkpoint);
  }

  /** The cosignature of a witness, if it is one of the newest checkpoint. */
  cosign(checkpoint: SignedCheckpoint, witness: NoteKey): void {
    if (this.#cosignatures.add(checkpoint, witness)) this.#isCosignedKept = false;
  }

  /** Keeps the cosignatures that came since; at the stop, and now and then. */
  keep(): void {
    const { cosigned } = this;
    if (this.#isCosignedKept || !cosigned) return;
    this.#file.writeCosigned(cosigned);
    this.#isCosignedKept = true;
    this.#keptAtMs = this.#parts.clock.monotonic();
  }

  async #step(): Promise<void> {
    const tree = await this.#loaded();
    const nowMs = this.#parts.clock.monotonic();
    if (this.#fault || nowMs < this.#heldUntilMs) return;
    const lost = this.#latestLost();
    if (lost) await this.#recover(tree, lost);
    else if (this.#isDue(nowMs)) await this.#sign(tree);
    if (nowMs - this.#keptAtMs >= KEEP_MS) this.keep();
  }

  #isDue(nowMs: number): boolean {
    const { checkpointSeconds, checkpointEntries } = this.#parts.settings;
    const isTime = nowMs - this.#signedAtMs >= checkpointSeconds * 1_000;
    return isTime || this.#parts.audit.made - this.#signedMade >= checkpointEntries;
  }

  async #loaded(): Promise<LogTree> {
    if (this.#tree && !this.#tree.isStale) return this.#tree;
    const { database, installation } = this.#parts;
    const tree = await LogTree.load({ database, installation, publicKey: this.publicKey });
    await this.#judge(tree);
    for (const [origin, lost] of this.#lost) {
      if (this.#isKnown(tree, lost)) this.#lost.delete(origin);
    }
    this.#tree = tree;
    return tree;
  }

  /** Whether the rows are what the newest checkpoint says, as far as it goes. */
  async #judge(tree: LogTree): Promise<void> {
    const last = this.#newest;
    if (!tree.isWhole) return this.#fail("rows of the audit that were in the log are gone");
    if (!last || this.#isKnown(tree, last)) return;
    const isCut = last.origin === tree.origin && last.size > tree.size;
    if (last.origin === tree.origin && !(isCut && !(await tree.hasMore()))) {
      return this.#fail(`the audit is not what was signed at ${last.size} entries`);
    }
    this.#lost.set(last.origin, last);
  }

  #latestLost(): SignedCheckpoint | undefined {
    const all = [...this.#lost.values()];
    return all.reduce((late, one) => (isLater(one, late) ? one : late), all[0] as SignedCheckpoint);
  }

  #isKnown(tree: LogTree, checkpoint: SignedCheckpoint): boolean {
    return checkpoint.origin === tree.origin ? tree.contains(checkpoint) : tree.covers(checkpoint);
  }

  async #sign(tree: LogTree): Promise<void> {
    const { clock, audit, key } = this.#parts;
    this.#signedMade = audit.made;
    this.#signedAtMs = clock.monotonic();
    await tree.append();
    const { origin, size } = tree;
    const last = this.#newest;
    if (size === 0 || (last?.origin === origin && last.size >= size)) return;
    const changed = await tree.findChangedRow();
    if (changed !== undefined) return this.#fail(`row ${changed} of the audit was changed`);
    if (last && !this.#isKnown(tree, last)) {
      return this.#fail(`the audit is not what was signed at ${last.size} entries`);
    }
    this.#show(signCheckpoint({ origin, size, root: tree.root() }, key));
  }

  /** On the disk first: nobody ever sees what a power cut could take back. */
  #show(newest: SignedCheckpoint): void {
    this.#file.writeNewest(newest);
    this.#newest = newest;
    this.#cosignatures.of(newest);
  }

  /** A backup was restored: another log begins. What turns up of logs before this one is added. */
  async #recover(tree: LogTree, lost: SignedCheckpoint): Promise<void> {
    const { database, audit, log } = this.#parts;
    const { origin, size } = lost;
    const reason = "a backup was restored: entries that were signed are gone";
    this.#parts.doubted?.(reason);
    if (epochOf(lost) < tree.epoch) {
      log.error(
        { origin, size },
        "a witness shows a checkpoint that the restart of the log left out",
      );
      await database.commit([audit.row(SYSTEM, RECALLED, origin, restartDetail(reason, lost))]);
      this.#lost.delete(origin);
    } else {
      log.error({ origin, size, rows: tree.size }, "the audit lost entries; its log begins anew");
      await this.#beginAnew(tree, { caller: SYSTEM, reason, old: lost });
    }
    await this.#sign(await this.#loaded());
  }

  async #beginAnew(
    tree: LogTree,
    { caller, reason, old }: { caller: Caller; reason: string; old: SignedCheckpoint | undefined },
  ): Promise<void> {
    const { database, audit, random, installation } = this.#parts;
    const epoch = Math.max(tree.epoch, epochOf(old), epochOf(this.#newest)) + 1;
    const origin = originOf(installation, `${epoch}-${toBase32(random.bytes(5))}`);
    const detail = old ? restartDetail(reason, old) : { reason };
    await database.commit([
      audit.row(caller, RESTARTED, origin, detail),
      insertEpoch(database, { epoch: BigInt(epoch), origin }),
    ]);
    this.#tree = undefined;
    this.#fault = undefined;
  }

  #fail(fault: string): void {
    if (this.#fault === undefined) {
      this.#parts.log.error({ fault }, "the audit log has a fault");
      this.#parts.doubted?.(fault);
    }
    this.#fault = fault;
  }
}

/** `2` of `…/audit/2-k3v7q2aa`. */
function epochOf(checkpoint: SignedCheckpoint | undefined): number {
  const found = /\/(\d{1,9})(-[a-z2-7]+)?$/.exec(checkpoint?.origin ?? "");
  return Number(found?.[1] ?? 1);
}

/** Which of two checkpoints of logs of ours was signed later. */
function isLater(one: SignedCheckpoint, other: SignedCheckpoint): boolean {
  const [first, second] = [epochOf(one), epochOf(other)];
  return first === second ? one.size > other.size : first > second;
}

function nothingWrong(): PoolError {
  return new PoolError(
    "precondition",
    "audit.whole",
    "The audit log is as it was signed; there is no reason to begin it anew.",
  );
}
