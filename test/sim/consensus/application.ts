import { validatorsHashOf } from "@/core/consensus/digest.ts";
import type { Block, Hash, Ms, PublicKey, Tx } from "@/core/consensus/types.ts";

/** What a transaction of the simulation says. */
export interface Said {
  readonly id: number;
  readonly validUntilMs: Ms;
  /** Members of the next committee by their process, null for an ordinary transaction. */
  readonly members: readonly number[] | null;
}

/** How long a transaction may be valid (§11). */
export const VALID_MS = 600_000;
const HEAD_BYTES = 12;
const said = new WeakMap<Tx, Said>();

/** The bytes of a transaction. */
export function newTx({ id, validUntilMs, members }: Said): Tx {
  const tx = new Uint8Array(HEAD_BYTES + (members?.length ?? 0));
  const view = new DataView(tx.buffer);
  view.setUint32(0, id);
  view.setFloat64(4, validUntilMs);
  members?.forEach((member, at) => {
    tx[HEAD_BYTES + at] = member;
  });
  return tx;
}

/** What a transaction says; anything else says it was valid in 1970. */
export function readTx(tx: Tx): Said {
  const known = said.get(tx);
  if (known) return known;
  const read = parse(tx);
  said.set(tx, read);
  return read;
}

function parse(tx: Tx): Said {
  if (tx.length < HEAD_BYTES) return { id: 0, validUntilMs: 0, members: null };
  const view = new DataView(tx.buffer, tx.byteOffset, tx.byteLength);
  const members = tx.length > HEAD_BYTES ? [...tx.subarray(HEAD_BYTES)] : null;
  return { id: view.getUint32(0), validUntilMs: view.getFloat64(4), members };
}

/** The application after a height. */
export interface AppState {
  readonly height: number;
  readonly root: Hash;
  readonly timestampMs: Ms;
  /** When each transaction of the last ten minutes was executed, in that order. */
  readonly executed: ReadonlyMap<number, Ms>;
  readonly validators: readonly PublicKey[];
  /** Committees somebody asked for and that are not there yet. */
  readonly requested: readonly (readonly PublicKey[])[];
  /** Which transactions the block of this height executed, for who looks on; nothing here reads it. */
  readonly ran: readonly number[];
  /** The application a height below; null at the genesis. */
  readonly before: AppState | null;
}

/** How the application is done wrong on purpose. */
export interface AppBugs {
  readonly forgetsExecuted?: boolean;
  readonly keepsRequest?: boolean;
  /** Judges by the clock of the host what only the date of the block may decide (§11). */
  readonly readsClock?: boolean;
}

/**
 * Executes committed blocks (§10.4, §11). A transaction that is repeated or out of its time is a
 * no-op; a request for another committee waits until an epoch-final block has applied it.
 */
export class Application {
  readonly #keys: readonly PublicKey[];
  readonly #bugs: AppBugs;
  readonly #next = new WeakMap<AppState, Map<Hash, AppState>>();

  constructor(keys: readonly PublicKey[], bugs: AppBugs = {}) {
    this.#keys = keys;
    this.#bugs = bugs;
  }

  genesis(root: Hash, validators: readonly PublicKey[], timestampMs: Ms): AppState {
    const nothing = { executed: new Map(), requested: [], ran: [], before: null };
    return { height: 0, root, timestampMs, validators, ...nothing };
  }

  /**
   * The application after one more block; each pair is computed once, as all replicas agree on it. What
   * the clock of a host shows does not count.
   */
  execute(state: AppState, block: Block, nowMs: Ms = block.header.timestampMs): AppState {
    if (this.#bugs.readsClock) return this.#execute(state, block, nowMs);
    const known = this.#next.get(state) ?? new Map<Hash, AppState>();
    this.#next.set(state, known);
    const before = known.get(block.hash);
    if (before) return before;
    const after = this.#execute(state, block, block.header.timestampMs);
    known.set(block.hash, after);
    return after;
  }

  #execute(state: AppState, block: Block, judgedAt: Ms): AppState {
    const { timestampMs, height } = block.header;
    const executed = withoutOld(state.executed, judgedAt);
    const asked: (readonly PublicKey[])[] = [];
    const ran: number[] = [];
    for (const tx of block.payload.inline) {
      const { id, members } = readTx(tx);
      if (!this.isDue(tx, judgedAt) || executed.has(id)) continue;
      if (!this.#bugs.forgetsExecuted) executed.set(id, timestampMs);
      ran.push(id);
      if (members) asked.push(this.#committeeOf(members));
    }
    const { validators, requested } = this.#governed(state, asked, block);
    const root = rootOf(state.root, block.hash, executed.size, requested.length);
    return { height, root, timestampMs, executed, validators, requested, ran, before: state };
  }

  /** The committee, and those that are asked for and differ from it. */
  #governed(
    state: AppState,
    asked: AppState["requested"],
    { header: { nextValidatorsHash } }: Block,
  ): Pick<AppState, "validators" | "requested"> {
    const all = [...state.requested, ...asked];
    const applied = all.find((one) => validatorsHashOf(one) === nextValidatorsHash);
    const validators = applied ?? state.validators;
    const current = validators.join();
    const isKept = (one: readonly PublicKey[]): boolean =>
      this.#bugs.keepsRequest === true || (one !== applied && one.join() !== current);
    return { validators, requested: all.filter(isKept) };
  }

  /** Whether a block of that time may execute it: B.ts ≤ validUntil ≤ B.ts + 10 min. */
  isDue(tx: Tx, timestampMs: Ms): boolean {
    const { validUntilMs } = readTx(tx);
    return timestampMs <= validUntilMs && validUntilMs <= timestampMs + VALID_MS;
  }

  #committeeOf(members: readonly number[]): readonly PublicKey[] {
    return members.flatMap((member) => this.#keys[member] ?? []);
  }
}

/** Those a block of that time could still execute again (§11): from ten minutes before it. */
function withoutOld(executed: AppState["executed"], timestampMs: Ms): Map<number, Ms> {
  const kept = new Map(executed);
  for (const [id, at] of kept) {
    if (at >= timestampMs - VALID_MS) break;
    kept.delete(id);
  }
  return kept;
}

/** Not a hash worth the name, but different for different histories. */
function rootOf(before: Hash, block: Hash, ...numbers: readonly number[]): Hash {
  let low = 0x811c9dc5;
  let high = 0x1000193;
  for (let at = 0; at < 64; at += 8) {
    low = Math.imul(low ^ Number.parseInt(before.slice(at, at + 8), 16), 0x01000193);
    high = Math.imul(high ^ Number.parseInt(block.slice(at, at + 8), 16), 0x85ebca6b) ^ low;
  }
  for (const number of numbers) low = Math.imul(low ^ number, 0x01000193);
  const text = (word: number): string => (word >>> 0).toString(16).padStart(8, "0");
  return (text(low) + text(high)).repeat(4) as Hash;
}
