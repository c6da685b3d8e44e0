/** What the steps of a part have shown: a line for each, and how they ended. */

const PART_WIDTH = 9;
const STEP_WIDTH = 46;

interface StepOptions {
  /** A step that must have passed before; without it this one is not tried. */
  readonly needs?: string;
}

/** Takes what a step has seen; each remark ends up in the step's line. */
export type Tell = (evidence: string) => void;

export class Part {
  readonly name: string;
  readonly #passed = new Set<string>();
  readonly #failed: string[] = [];
  readonly #startMs = performance.now();

  constructor(name: string) {
    this.name = name;
  }

  /** Does a step and prints its line; answers whether it passed. A failed step ends nothing. */
  async step(
    name: string,
    act: (tell: Tell) => Promise<void>,
    { needs }: StepOptions = {},
  ): Promise<boolean> {
    const seen: string[] = [];
    const startMs = performance.now();
    try {
      if (needs !== undefined && !this.#passed.has(needs))
        throw new Error(`not tried, because "${needs}" has not passed`);
      await act((evidence) => void seen.push(evidence));
      this.#passed.add(name);
    } catch (error) {
      this.#failed.push(name);
      seen.push(error instanceof Error ? error.message : String(error));
    }
    const passed = this.#passed.has(name);
    this.#print(passed, name, performance.now() - startMs, seen);
    return passed;
  }

  get failures(): number {
    return this.#failed.length;
  }

  /** One line about the whole part. */
  summary(): string {
    const verdict = this.failures === 0 && this.#passed.size > 0 ? "PASS" : "FAIL";
    const steps = this.#passed.size + this.failures;
    const seconds = ((performance.now() - this.#startMs) / 1000).toFixed(1);
    const failed = this.failures === 0 ? "" : `: ${this.#failed.join(", ")}`;
    return `${verdict}  ${this.name}: ${steps} steps, ${this.failures} failed${failed}; ${seconds} s`;
  }

  #print(passed: boolean, step: string, tookMs: number, seen: readonly string[]): void {
    const head = `${passed ? "PASS" : "FAIL"}  ${this.name.padEnd(PART_WIDTH)} ${step.padEnd(STEP_WIDTH)}`;
    const took = `${(tookMs / 1000).toFixed(1)} s`.padStart(8);
    console.log(`${head} ${took}  ${seen.join("; ").replaceAll(/\s*\n\s*/g, " | ")}`);
  }
}

/** Throws when something is not so; the sentence says what was expected. */
export function demand(isSo: boolean, expected: string, seen?: unknown): asserts isSo {
  if (isSo) return;
  const shown = seen === undefined ? "" : `, but saw ${shownBriefly(seen)}`;
  throw new Error(`expected ${expected}${shown}`);
}

function shownBriefly(seen: unknown): string {
  const text = typeof seen === "string" ? seen : JSON.stringify(seen);
  return text.length > 1500 ? `${text.slice(0, 700)} … ${text.slice(-700)}` : text;
}
