import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type ExecOptions, type Ran, spawned } from "./machine.ts";
import { patiently } from "./patience.ts";
import { demand } from "./report.ts";
import type { Galaxy } from "./scenes.ts";

export const EXECUTABLE = "/usr/local/bin/galaxy-pool";

const SCRIPT = "distroless-base.sh";
const BUILD_MS = 600_000;
const TAIL = 1500;
/** How long a stop may take before it becomes a kill. */
const KILL_AFTER_SECONDS = 30;

/** Images and containers, by the harness: on its stand-in bases, without rights, each on a loopback of its own. */
export class Engine {
  readonly #script: string;

  constructor(harness: string) {
    this.#script = join(harness, SCRIPT);
  }

  /** Runs one of the harness's verbs to its end. */
  drive(words: readonly string[], options: ExecOptions = {}): Promise<Ran> {
    return driven([this.#script, ...words], options);
  }

  /** Builds an image as the Dockerfile says; answers what the harness says of it at the end. */
  async build(context: string, tag: string, architecture: string): Promise<string> {
    const file = join(context, "Dockerfile.arm64");
    const words = ["build", file, context, tag, architecture];
    const build = this.drive(words, { timeoutMs: BUILD_MS });
    const { stderr } = await patiently(`the ${architecture} image is built`, build);
    return stderr.trim().split("\n").at(-1) ?? "";
  }

  /** The images that have no name: stages a build has left behind. */
  async nameless(): Promise<ReadonlySet<string>> {
    const words = ["images", "--all", "--filter", "dangling=true", "--format", "{{.Id}}"];
    return new Set((await this.podman(words)).split("\n").filter((id) => id !== ""));
  }

  /** What podman prints for a person or, with a format, for us. */
  async podman(words: readonly string[], options: ExecOptions = {}): Promise<string> {
    return (await this.drive(["podman", ...words], options)).stdout.trim();
  }
}

/** How a container is started: podman's arguments, and what is run in place of the image's command. */
export interface Start {
  readonly arguments?: readonly string[];
  readonly command?: readonly string[];
}

/** A container of an image, under a name that a later one may take over. */
export class Container {
  readonly name: string;
  readonly #engine: Engine;
  readonly #patienceMs: number;

  constructor(engine: Engine, name: string, patienceMs: number) {
    this.#engine = engine;
    this.name = name;
    this.#patienceMs = patienceMs;
  }

  /** Starts a new one; what ran under this name before is removed, its named volumes stay. */
  async run(tag: string, start: Start = {}): Promise<void> {
    await this.down();
    const command = start.command ? ["--", ...start.command] : [];
    await this.#engine.drive(["run", this.name, tag, ...(start.arguments ?? []), ...command]);
  }

  /** The command line of the image, inside. */
  exec(words: readonly string[], options: ExecOptions = {}, user: readonly string[] = []) {
    const inside = ["exec", ...user, this.name, EXECUTABLE, ...words];
    return this.#engine.drive(["podman", ...inside], { timeoutMs: this.#patienceMs, ...options });
  }

  /** The same, for the scenes: a line that must succeed. */
  readonly galaxy: Galaxy = async (line) => (await this.exec(line.split(" "))).stdout.trim();

  /** Asks the image's own HEALTHCHECK once, as an engine would. */
  health(): Promise<Ran> {
    const options = { timeoutMs: this.#patienceMs, allowFailure: true };
    return this.#engine.drive(["health", this.name], options);
  }

  /** Waits until it is healthy; one that has ended says why. Answers how long it took. */
  async untilHealthy(): Promise<number> {
    const startMs = performance.now();
    const seconds = Math.ceil(this.#patienceMs / 1000);
    const waiting = this.exec(["health", "--wait", `${seconds}s`], { allowFailure: true });
    const { code, stderr } = await patiently(`${this.name} becomes healthy`, waiting);
    demand(code === 0, `${this.name} to become healthy`, `${stderr}\n${await this.logs()}`);
    return performance.now() - startMs;
  }

  /** Waits until it has ended by itself; answers its exit code and what it said. */
  async ended(): Promise<{ readonly code: number; readonly said: string }> {
    const code = await this.#engine.podman(["wait", this.name], { timeoutMs: this.#patienceMs });
    return { code: Number(code), said: await this.logs() };
  }

  /** The process, as this host counts it. */
  async pid(): Promise<number> {
    const pid = Number(await this.inspect("{{.State.Pid}}"));
    demand(pid > 1, `${this.name} to run`, await this.logs());
    return pid;
  }

  /** A line of /proc/PID/status, in words. */
  async status(names: readonly string[]): Promise<ReadonlyMap<string, string>> {
    const text = readFileSync(`/proc/${await this.pid()}/status`, "utf8");
    return new Map(
      names.map((name) => [
        name,
        new RegExp(`^${name}:\\s*(.*)$`, "m").exec(text)?.[1]?.trim() ?? "",
      ]),
    );
  }

  inspect(format: string): Promise<string> {
    return this.#engine.podman(["inspect", "-f", format, this.name]);
  }

  /** Sends what the image names as its stop signal; answers how it ended, and after how long. */
  async stop(): Promise<{ readonly code: number; readonly tookMs: number }> {
    const startMs = performance.now();
    await this.#engine.podman(["stop", "-t", `${KILL_AFTER_SECONDS}`, this.name]);
    const tookMs = performance.now() - startMs;
    return { code: Number(await this.inspect("{{.State.ExitCode}}")), tookMs };
  }

  async logs(): Promise<string> {
    const { stdout, stderr } = await this.#engine.drive(["logs", this.name], {
      allowFailure: true,
    });
    return `${stdout}${stderr}`.slice(-TAIL);
  }

  /** On this host, 127.0.0.1:hostPort leads to its port. */
  async forward(hostPort: number, port: number): Promise<void> {
    await this.#engine.drive(["forward", this.name, `${hostPort}`, `${port}`]);
  }

  /** Removes it, and the volumes nobody gave a name. */
  async down(): Promise<void> {
    const words = ["rm", "--force", "--volumes", "--ignore", "--time", "5", this.name];
    await this.#engine.podman(words);
    await this.#engine.drive(["down", this.name]);
  }
}

async function driven(command: readonly string[], options: ExecOptions): Promise<Ran> {
  const ran = await spawned(command, options);
  if (ran.code === 0 || options.allowFailure) return ran;
  const said = `${ran.stdout.slice(-TAIL)}${ran.stderr.slice(-TAIL)}`.trim();
  throw new Error(`${command.slice(1).join(" ")}: code ${ran.code}: ${said}`);
}
