import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cleanEnvironment, executable, jsonOf, type Ran, runGalaxy } from "./executable.ts";
import { freePort } from "./free-port.ts";
import { until } from "./until.ts";

/** A tree of configuration, as the file has it. */
export interface Config {
  readonly [section: string]: Readonly<Record<string, unknown>>;
}

/** How a pool of a test is made. */
export interface PoolTerms {
  /** Laid over the fast clock, section by section. */
  readonly config?: Config;
  /** Keep the ports over restarts, so that nodes find the pool again. */
  readonly keepsPorts?: boolean;
  readonly environment?: Readonly<Record<string, string>>;
  /** Where the data lies, unless in the folder of the test. */
  readonly dataDir?: string;
  /** Put before the command of `serve`, such as `prlimit …`. */
  readonly under?: readonly string[];
}

interface Listening {
  readonly plain: readonly string[];
  readonly secure: readonly string[];
  readonly grpc: string;
  readonly pid: number;
}

/** An answer of the HTTP API. */
export interface Answered {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON came
  readonly body: any;
  readonly headers: Headers;
}

/** Slots of a second, intervals of five, a µUSDT a millisecond, payouts when a test asks for them. */
const FAST: Config = {
  http: { port: 0, secure_port: 0 },
  server: { address: "[::]:0" },
  poot: {
    demo: true,
    slot_seconds: 1,
    interval_seconds: 5,
    tariff: { usdt_per_hour: "3.6" },
  },
  payout: { threshold_usdt: "0.003", interval_seconds: 3600 },
};

/** A pool of a test: the compiled executable, in a folder and on ports of its own. */
export class PoolProcess implements AsyncDisposable {
  readonly folder: string;
  readonly dataDir: string;
  readonly configFile: string;
  readonly environment: Readonly<Record<string, string>>;
  /** What `init` said. */
  made: Readonly<Record<string, unknown>> = {};
  #config: Config;
  readonly #under: readonly string[];
  #serving: Bun.Subprocess | undefined;
  #listening: Listening | undefined;

  private constructor(terms: PoolTerms) {
    this.folder = mkdtempSync(join(tmpdir(), "galaxy-e2e-"));
    this.dataDir = terms.dataDir ?? join(this.folder, "pool");
    this.configFile = join(this.folder, "pool.yaml");
    this.environment = cleanEnvironment(this.folder, terms.environment);
    this.#under = terms.under ?? [];
    this.#config = laidOver(FAST, { storage: { data_dir: this.dataDir } });
    if (terms.keepsPorts) this.#config = laidOver(this.#config, keptPorts());
    this.configure(terms.config ?? {});
  }

  /** A pool that was initialised and is ready. */
  static async start(terms: PoolTerms = {}): Promise<PoolProcess> {
    const pool = await PoolProcess.initialised(terms);
    try {
      await pool.serve();
      return pool;
    } catch (error) {
      await pool[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** A pool that was initialised but does not run. */
  static async initialised(terms: PoolTerms = {}): Promise<PoolProcess> {
    const pool = new PoolProcess(terms);
    pool.made = await pool.json("init");
    return pool;
  }

  /** Lays more over the configuration file; a running pool learns it with SIGHUP or a restart. */
  configure(more: Config): void {
    this.#config = laidOver(this.#config, more);
    writeFileSync(this.configFile, JSON.stringify(this.#config, null, 2));
  }

  /** Starts the pool and waits until it is ready; answers how long that took. */
  async serve(): Promise<number> {
    const program = await executable();
    const startMs = performance.now();
    const log = openSync(this.logFile, "a");
    const serving = Bun.spawn([...this.#under, program, "serve", "--config", this.configFile], {
      stdio: ["ignore", log, log],
      env: { ...this.environment },
    });
    closeSync(log);
    this.#serving = serving;
    this.#listening = undefined;
    await until("the pool to be ready", async () => {
      if (serving.exitCode !== null || serving.signalCode !== null)
        throw new Error(
          `the pool ended with ${serving.exitCode ?? serving.signalCode}:\n${this.log().slice(-4000)}`,
        );
      this.#listening ??= this.#readListening(serving.pid);
      return this.#listening !== undefined && (await this.#isReady());
    });
    return performance.now() - startMs;
  }

  /** Ends the pool as a power cut does; nothing is told to it. */
  async kill(): Promise<void> {
    this.#serving?.kill("SIGKILL");
    await this.#serving?.exited;
  }

  /** Asks the pool to stop; answers its exit code. */
  async stop(): Promise<number> {
    this.#serving?.kill("SIGTERM");
    return (await this.#serving?.exited) ?? -1;
  }

  signal(signal: NodeJS.Signals): void {
    this.#serving?.kill(signal);
  }

  /** The exit code of a pool that ends by itself. */
  async ended(): Promise<number> {
    return (await this.#serving?.exited) ?? -1;
  }

  get pid(): number {
    return this.#serving?.pid ?? 0;
  }

  /** http://127.0.0.1:port */
  get url(): string {
    return this.#known().plain[0] ?? "";
  }

  get securePort(): number {
    return portIn(this.#known().secure[0] ?? "");
  }

  get grpcPort(): number {
    return portIn(this.#known().grpc);
  }

  get logFile(): string {
    return join(this.folder, "pool.log");
  }

  /** Everything the pool has logged. */
  log(): string {
    return readFileSync(this.logFile, "utf8");
  }

  get operatorToken(): string {
    return readFileSync(join(this.dataDir, "operator.token"), "utf8").trim();
  }

  /** Runs a command of the command line against this pool. */
  cli(...words: readonly string[]): Promise<Ran> {
    return runGalaxy([...words, "--config", this.configFile], this.environment);
  }

  /** Runs a command that does not ask this pool. */
  run(...words: readonly string[]): Promise<Ran> {
    return runGalaxy(words, this.environment);
  }

  /** A command that must succeed; answers the JSON it prints. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON came
  async json(...words: readonly string[]): Promise<any> {
    return jsonOf(words.join(" "), await this.cli(...words, "--json"));
  }

  /** A pool of its own for one test, in the same installation. */
  async poolNamed(name: string): Promise<string> {
    const { pool_id } = await this.told("POST", "/api/v1/pools", { name, kind: "test" });
    return String(pool_id);
  }

  /** A token with which nodes join, the first pool when none is named. */
  async token({ uses = 1, pool }: { uses?: number; pool?: string } = {}): Promise<string> {
    const pool_id = pool ?? (this.made["pool"] as { id: string }).id;
    const { token } = await this.told("POST", "/api/v1/tokens", { pool_id, uses });
    return String(token);
  }

  /** Asks the HTTP API what must not be refused. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads whatever JSON came
  async told(method: string, path: string, body?: unknown): Promise<any> {
    const answer = await this.ask(method, path, body);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
  }

  /** Asks the HTTP API as the operator, or as whoever `headers` says. */
  async ask(
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Answered> {
    const answer = await fetch(`${this.url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${this.operatorToken}`,
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
      },
      ...(body === undefined
        ? {}
        : { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: parsed(text), headers: answer.headers };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    if (process.env["GALAXY_TEST_KEEP"]) process.stderr.write(`kept: ${this.folder}\n`);
    else rmSync(this.folder, { recursive: true, force: true });
  }

  #known(): Listening {
    if (!this.#listening) throw new Error("the pool does not run");
    return this.#listening;
  }

  #readListening(pid: number): Listening | undefined {
    try {
      const text = readFileSync(join(this.dataDir, "listening.json"), "utf8");
      const listening = JSON.parse(text) as Listening;
      return listening.pid === pid ? listening : undefined;
    } catch {
      return undefined;
    }
  }

  async #isReady(): Promise<boolean> {
    const answer = await fetch(`${this.url}/readyz`).catch(() => undefined);
    await answer?.body?.cancel();
    return answer?.status === 200;
  }
}

function laidOver(below: Config, above: Config): Config {
  const sections = Object.entries(above).map(([name, keys]) => [name, { ...below[name], ...keys }]);
  return { ...below, ...Object.fromEntries(sections) };
}

function keptPorts(): Config {
  return {
    http: { port: freePort(), secure_port: freePort() },
    server: { address: `[::]:${freePort()}` },
  };
}

function portIn(address: string): number {
  return Number(/:(\d+)$/.exec(address)?.[1]);
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
