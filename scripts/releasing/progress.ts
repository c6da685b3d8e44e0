/** Says what the release is doing and how long each part of it took. */
export class Progress {
  readonly #say: (line: string) => void;
  readonly #seconds = new Map<string, number>();

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  /** Runs one part; what it gives as `told` stands in its line. */
  async part<T>(name: string, act: () => T | Promise<T>, told?: (result: T) => string): Promise<T> {
    const from = performance.now();
    const result = await act();
    const seconds = Math.round((performance.now() - from) / 100) / 10;
    this.#seconds.set(name, seconds);
    const tail = told ? `  ${told(result)}` : "";
    this.#say(`${name.padEnd(20)} ${seconds.toFixed(1).padStart(6)} s${tail}`);
    return result;
  }

  warn(text: string): void {
    this.#say(`WARNING: ${text}`);
  }

  get seconds(): Readonly<Record<string, number>> {
    return Object.fromEntries(this.#seconds);
  }
}
