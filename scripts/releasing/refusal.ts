/** What a release says when it cannot be made: a sentence for the person who runs it. */
export class Refusal extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** A mistake in the command line. */
export function misuse(message: string): Refusal {
  return new Refusal(`${message} See scripts/release --help.`, 2);
}
