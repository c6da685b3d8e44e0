import type { Logger } from "pino";
import { EXIT, tellRefusal } from "./refusals.ts";

/** What was under way gets so long to end in good order. */
const FORCE_MS = 15_000;

/**
 * How a process that runs for long comes to its end: SIGTERM or SIGINT tell it to, or a fault of its
 * own does. It listens from the moment it is made: process 1 of a container ignores what it does not
 * listen for.
 */
export class Ending implements Disposable {
  /** The exit code, once the end has begun. */
  readonly code: Promise<number>;
  readonly #begun = Promise.withResolvers<number>();
  readonly #listening = new DisposableStack();
  #log: Logger | undefined;
  #isBegun = false;

  constructor() {
    this.code = this.#begun.promise;
    for (const signal of ["SIGINT", "SIGTERM"] as const)
      this.on(signal, () => {
        this.#log?.info({ signal }, "told to stop");
        this.begin(EXIT.done);
      });
    for (const event of ["uncaughtException", "unhandledRejection"] as const)
      this.on(event, (fault) => this.fault(fault));
  }

  /** From now on it says in the log why it ends. */
  sayIn(log: Logger): void {
    this.#log = log;
  }

  /** Whether the end has begun. */
  get isBegun(): boolean {
    return this.#isBegun;
  }

  /** Begins the end; what hangs on it is cut off after a while. */
  begin(code: number): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#begun.resolve(code);
    const timer = setTimeout(() => {
      this.#log?.error("something did not end in time; the process ends all the same");
      process.exit(code);
    }, FORCE_MS);
    timer.unref();
    this.#listening.defer(() => clearTimeout(timer));
  }

  /** Begins the end because of a fault of our own. */
  fault(fault: unknown): void {
    if (this.#log) this.#log.fatal({ err: fault }, "a fault of our own ends the process");
    else tellRefusal(fault, false);
    this.begin(EXIT.fault);
  }

  /** Listens to the process until this is over. */
  on(event: string, listener: (told: unknown) => void): void {
    process.on(event, listener);
    this.#listening.defer(() => void process.off(event, listener));
  }

  [Symbol.dispose](): void {
    this.#listening.dispose();
  }
}
