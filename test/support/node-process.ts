import { appendFileSync, closeSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { executable, jsonOf, type Ran, runGalaxy } from "./executable.ts";
import type { PoolProcess } from "./pool-process.ts";
import { until } from "./until.ts";

/** How a node of a test joins. */
export interface JoinTerms {
  readonly token: string;
  /** `localhost`, `127.0.0.1` or `::1`. */
  readonly host?: string;
  readonly port?: number;
  /** More words for `node join`. */
  readonly more?: readonly string[];
}

/** A node of a test: the compiled executable, in a folder of its own. */
export class NodeProcess implements AsyncDisposable {
  readonly name: string;
  readonly data: string;
  readonly logFile: string;
  id = "";
  readonly #pool: PoolProcess;
  #running: Bun.Subprocess | undefined;

  constructor(pool: PoolProcess, name: string) {
    this.#pool = pool;
    this.name = name;
    this.data = join(pool.folder, "nodes", name);
    this.logFile = join(pool.folder, `${name}.log`);
  }

  /** A node that has joined, and does not run yet. */
  static async joined(pool: PoolProcess, name: string, terms: JoinTerms): Promise<NodeProcess> {
    const node = new NodeProcess(pool, name);
    node.id = String(jsonOf("node join", await node.join(terms)).node_id);
    return node;
  }

  /** Tries to join; a test looks at how it ended. */
  join({ token, host = "127.0.0.1", port, more = [] }: JoinTerms): Promise<Ran> {
    const name = host.includes(":") ? `[${host}]` : host;
    const address = `${name}:${port ?? this.#pool.grpcPort}`;
    return this.cli("join", address, "--token", token, "--name", this.name, "--json", ...more);
  }

  /** Runs one of the node's own verbs. */
  cli(verb: string, ...words: readonly string[]): Promise<Ran> {
    return runGalaxy(["node", verb, ...words, "--data", this.data], this.#pool.environment);
  }

  /** A verb that must succeed; answers the JSON it prints. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON came
  async json(verb: string, ...words: readonly string[]): Promise<any> {
    return jsonOf(`node ${verb}`, await this.cli(verb, ...words, "--json"));
  }

  get pid(): number {
    return this.#running?.pid ?? 0;
  }

  /** Starts `node run` and leaves it running. */
  async run(): Promise<void> {
    const log = openSync(this.logFile, "a");
    const words = ["node", "run", "--data", this.data, "--log-level", "debug"];
    this.#running = Bun.spawn([await executable(), ...words], {
      stdio: ["ignore", log, log],
      env: { ...this.#pool.environment },
    });
    closeSync(log);
  }

  /** Asks the node to stop; answers its exit code. */
  async stop(): Promise<number> {
    this.#running?.kill("SIGTERM");
    return this.ended();
  }

  /** The exit code of a node that ends by itself. */
  async ended(): Promise<number> {
    const code = (await this.#running?.exited) ?? -1;
    this.#running = undefined;
    return code;
  }

  /** Ends the node as a power cut does. */
  async kill(): Promise<void> {
    this.#running?.kill("SIGKILL");
    await this.ended();
  }

  /** Everything the node has logged. */
  log(): string {
    appendFileSync(this.logFile, "");
    return readFileSync(this.logFile, "utf8");
  }

  /**
   * How many slots this node holds a RECEIPT for, by its own record: the highest count of each of its
   * sessions.
   */
  provenSlots(): number {
    const sessions = new Map<string, number>();
    for (const line of this.log().split("\n")) {
      if (!line.includes('"heartbeat answered"')) continue;
      const { session, ticks } = JSON.parse(line) as { session: string; ticks: number };
      sessions.set(session, Math.max(ticks, sessions.get(session) ?? 0));
    }
    return [...sessions.values()].reduce((sum, ticks) => sum + ticks, 0);
  }

  /** Waits until so many slots of this node are proven. */
  async proves(slots: number, patienceMs = 20_000): Promise<void> {
    await until(`${slots} slots of ${this.name}`, () => this.provenSlots() >= slots, patienceMs);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }
}
