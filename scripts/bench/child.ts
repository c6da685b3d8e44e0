import { join } from "node:path";

/** What another process of the bench can be asked, by name. */
export type Asks = Readonly<Record<string, (terms: never) => unknown>>;

/** One question to a child. */
export interface Question {
  readonly id: number;
  readonly name: string;
  readonly terms: unknown;
}

/** Its answer, or what went wrong. */
export interface Reply {
  readonly id: number;
  readonly value?: unknown;
  readonly problem?: string;
}

/** How a child is started. */
export interface ChildTerms<Terms> {
  /** The file that exports `open`, as `import.meta.path`. */
  readonly file: string;
  readonly terms: Terms;
  /** What runs it, such as strace with its options. */
  readonly under?: readonly string[];
}

const ENTRY = join(import.meta.dir, "child-entry.ts");
const STOP_MS = 10_000;

/** Another process of the bench: it opens something and answers questions about it. */
export class Child<A extends Asks> implements AsyncDisposable {
  readonly #process: Bun.Subprocess;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #asked = 0;

  /** Starts a process that calls `open`, an export of `file`, and answers with what it returns. */
  static async start<A extends Asks, Terms>(
    open: (terms: Terms) => Promise<A>,
    { file, terms, under = [] }: ChildTerms<Terms>,
  ): Promise<Child<A>> {
    const child = new Child<A>([...under, process.execPath, ENTRY, file, open.name]);
    await child.#ask("open", terms);
    return child;
  }

  private constructor(command: readonly string[]) {
    this.#process = Bun.spawn([...command], {
      stdio: ["ignore", "inherit", "inherit"],
      serialization: "advanced",
      env: { PATH: process.env["PATH"], HOME: process.env["HOME"], NODE_ENV: "production" },
      ipc: (reply) => this.#hear(reply as Reply),
      onExit: (_, code, signal) => this.#ended(`the child ended: ${code ?? signal}`),
    });
  }

  get pid(): number {
    return this.#process.pid;
  }

  ask<Name extends keyof A & string>(
    name: Name,
    terms: Parameters<A[Name]>[0],
  ): Promise<Awaited<ReturnType<A[Name]>>> {
    return this.#ask(name, terms) as Promise<Awaited<ReturnType<A[Name]>>>;
  }

  /** Ends it: a child exits when nobody can ask it any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#process.exitCode !== null) return;
    this.#process.disconnect();
    const force = setTimeout(() => this.#process.kill("SIGKILL"), STOP_MS);
    await this.#process.exited;
    clearTimeout(force);
  }

  #ask(name: string, terms: unknown): Promise<unknown> {
    const waiting = Promise.withResolvers<unknown>();
    const id = ++this.#asked;
    this.#waiting.set(id, waiting);
    this.#process.send({ id, name, terms } satisfies Question);
    return waiting.promise;
  }

  #hear({ id, value, problem }: Reply): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (problem === undefined) waiting?.resolve(value);
    else waiting?.reject(new Error(problem));
  }

  #ended(problem: string): void {
    for (const waiting of this.#waiting.values()) waiting.reject(new Error(problem));
    this.#waiting.clear();
  }
}
