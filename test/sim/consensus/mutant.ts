import type { Fixed } from "./options.ts";
import type { RuleName } from "./rules.ts";
import type { Bugs } from "./simulation.ts";

/** A change of one text that stands exactly once in one file of the core. */
export interface Patch {
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

/** A bug that is put in on purpose, and how it is caught: by seeds or by a story of that name. */
export interface Mutant {
  readonly name: string;
  readonly patches?: readonly Patch[];
  readonly bugs?: Bugs;
  /** What is fixed of the seeds it is looked for in. */
  readonly fixed?: Fixed;
  /** It is caught within so many seeds … */
  readonly seeds?: number;
  /** … or by this directed story … */
  readonly story?: string;
  /** … or by a rule that is asked for directly. */
  readonly rule?: RuleName;
  /** By this promise and no other; where none is named any will do. */
  readonly check?: string;
}

/** A change of this text in this file. */
export function patch(file: string, from: string, to: string): Patch {
  return { file, from, to };
}

/** Four that are what the seed says. */
export const N4: Fixed = { n: 4 };
/** Four, of which the first lies. */
export const LIAR: Fixed = { n: 4, parts: ["traitor", "honest", "honest", "honest"] };
