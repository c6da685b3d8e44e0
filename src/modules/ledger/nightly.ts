import type { Violation } from "@/core/ledger/check.ts";
import type { Logger } from "@/kernel/log.ts";

const DAY_MS = 86_400_000;

/** Checks all books once per UTC day, and at the start. */
export class NightlyCheck {
  readonly #check: () => Promise<readonly Violation[]>;
  readonly #log: Logger;
  #day = -1;
  #found: readonly Violation[] | undefined;

  constructor(check: () => Promise<readonly Violation[]>, log: Logger) {
    this.#check = check;
    this.#log = log;
  }

  /** What the last check found; undefined before the first. */
  get found(): readonly Violation[] | undefined {
    return this.#found;
  }

  /** Checks when a day began since the last time. */
  async runWhenDue(nowMs: number): Promise<void> {
    const day = Math.floor(nowMs / DAY_MS);
    if (day === this.#day) return;
    this.#day = day;
    this.#found = await this.#check();
    for (const violation of this.#found.slice(0, 10)) {
      this.#log.error({ ...violation }, "the books are wrong");
    }
    this.#log.info({ violations: this.#found.length }, "the books were checked");
  }
}
