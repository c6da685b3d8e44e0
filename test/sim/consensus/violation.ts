/** A promise of section 15 that was broken; `check` is its name there. */
export class Violation extends Error {
  override readonly name = "Violation";
  readonly check: string;

  constructor(check: string, message: string) {
    super(`${check}: ${message}`);
    this.check = check;
  }
}

/** Ends the run when a promise is broken. */
export function promise(holds: boolean, check: string, broken: () => string): void {
  if (!holds) throw new Violation(check, broken());
}
