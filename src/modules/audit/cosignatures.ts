import { findCosignature, type SignedCheckpoint } from "@/core/audit/checkpoint.ts";
import type { NoteKey, NoteSignature } from "@/core/audit/note.ts";

/** A cosignature comes back some heartbeats later: there may be newer checkpoints by then. */
const CHECKPOINTS_MAX = 8;

interface Cosigned {
  readonly checkpoint: SignedCheckpoint;
  readonly byName: Map<string, NoteSignature>;
}

/** The cosignatures of the newest checkpoints, at most so many of each. */
export class Cosignatures {
  readonly #max: number;
  readonly #newestFirst: Cosigned[] = [];

  constructor(max: number) {
    this.#max = max;
  }

  /** Begins with a newer checkpoint; cosignatures it carries already are kept. */
  of({ note, ...checkpoint }: SignedCheckpoint): void {
    if (this.#newestFirst.some((one) => one.checkpoint.note.text === note.text)) return;
    const own = note.signatures.filter(({ name }) => name === checkpoint.origin);
    const others = note.signatures.filter(({ name }) => name !== checkpoint.origin);
    const byName = new Map(others.map((line) => [line.name, line] as const));
    const signed = { ...checkpoint, note: { ...note, signatures: own } };
    this.#newestFirst.unshift({ checkpoint: signed, byName });
    this.#newestFirst.splice(CHECKPOINTS_MAX);
  }

  /** Takes the cosignature of a witness, if it is one of a newest checkpoint; answers whether it is new. */
  add({ note }: SignedCheckpoint, witness: NoteKey): boolean {
    const of = this.#newestFirst.find(({ checkpoint }) => checkpoint.note.text === note.text);
    if (!of || of.byName.has(witness.name) || of.byName.size >= this.#max) return false;
    const found = findCosignature(note, witness);
    if (!found) return false;
    of.byName.set(witness.name, found.signature);
    return true;
  }

  /** The checkpoint that most have cosigned, of several the newest; undefined while there is none. */
  most(): SignedCheckpoint | undefined {
    const [first, ...older] = this.#newestFirst;
    if (!first) return undefined;
    const best = older.reduce(
      (most, one) => (one.byName.size > most.byName.size ? one : most),
      first,
    );
    return best.byName.size > 0 ? withLines(best) : undefined;
  }

  /** The newest checkpoint with what cosignatures it has. */
  newest(): SignedCheckpoint | undefined {
    const [first] = this.#newestFirst;
    return first && withLines(first);
  }
}

function withLines({ checkpoint, byName }: Cosigned): SignedCheckpoint {
  const signatures = [...checkpoint.note.signatures, ...byName.values()];
  return { ...checkpoint, note: { ...checkpoint.note, signatures } };
}
