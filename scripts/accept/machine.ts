import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Which script of the harness boots the machine. */
type Script = "nspawn-boot.sh" | "arm64-vm.sh";

export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ExecOptions {
  /** What the command reads; nothing when left out. */
  readonly input?: string | Uint8Array;
  readonly timeoutMs?: number;
  /** Answer a code other than 0 instead of throwing. */
  readonly allowFailure?: boolean;
}

type Environment = Readonly<Record<string, string>>;

const EXEC_MS = 60_000;
/** The first start builds the machine's disk. */
const UP_MS = 900_000;
const TAIL = 1200;

/** A throw-away machine with a real init system, driven through the harness. */
export class Machine {
  readonly name: string;
  readonly #script: string;
  readonly #environment: Environment;
  readonly #offers = new Map<number, number>();

  private constructor(script: string, name: string, environment: Environment) {
    this.name = name;
    this.#script = script;
    this.#environment = environment;
  }

  /** Boots a fresh machine; one that an earlier run left under this name is removed. */
  static async up(
    harness: string,
    script: Script,
    name: string,
    environment: Environment = {},
  ): Promise<Machine> {
    const machine = new Machine(join(harness, script), name, environment);
    await machine.down();
    await machine.#drive(["up", name], { timeoutMs: UP_MS });
    return machine;
  }

  /** Runs a line of shell inside, as root. */
  exec(command: string, options: ExecOptions = {}): Promise<Ran> {
    return this.#drive(["exec", this.name, "sh", "-c", command], options);
  }

  /** Runs a line in a terminal of its own and types an answer; for what asks before it acts. */
  async answered(command: string, answer: string, options: ExecOptions = {}): Promise<Ran> {
    const words = [this.#script, "exec", this.name, "sh", "-c", command];
    const line = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(" ");
    const typed = { ...options, input: `${answer}\n` };
    const ran = await spawned(["script", "-qec", line, "/dev/null"], typed, this.#environment);
    if (ran.code === 0 || options.allowFailure) return ran;
    throw new Error(`${this.name}: ${command}: code ${ran.code}: ${ran.stdout.slice(-TAIL)}`);
  }

  /** What a command that must succeed prints, without the white space around it. */
  async read(command: string, options: ExecOptions = {}): Promise<string> {
    return (await this.exec(command, options)).stdout.trim();
  }

  /** Copies a file in, with its mode. */
  async push(file: string, path: string): Promise<void> {
    await this.#drive(["push", this.name, file, path], { timeoutMs: 300_000 });
  }

  /** Writes a small file inside. */
  async write(text: string, path: string, mode = "644"): Promise<void> {
    await this.exec(`cat >'${path}' && chmod ${mode} '${path}'`, { input: text });
  }

  /** Inside, 127.0.0.1:port leads to this host's 127.0.0.1:hostPort. */
  async offer(port: number, hostPort: number): Promise<void> {
    await this.#relay(["offer", this.name, `${port}`, `${hostPort}`]);
    this.#offers.set(port, hostPort);
  }

  /** Makes what was offered anew where it is gone: the relays are processes of this host, and may end. */
  async keepOffers(): Promise<void> {
    for (const [port, hostPort] of this.#offers) {
      if ((await this.read(`ss -Hltn 'sport = :${port}'`)) !== "") continue;
      console.log(
        `      ${this.name}: the way to port ${hostPort} of this host was gone, and is made anew`,
      );
      await this.offer(port, hostPort);
    }
  }

  /** On this host, 127.0.0.1:hostPort leads to the machine's port. */
  async forward(hostPort: number, port: number): Promise<void> {
    await this.#relay(["forward", this.name, `${hostPort}`, `${port}`]);
  }

  /** An orderly reboot; answers when the machine has settled again. */
  async reboot(): Promise<void> {
    await this.#drive(["reboot", this.name], { timeoutMs: UP_MS });
  }

  /** Cuts the power and switches it on again. */
  async cut(): Promise<void> {
    await this.#drive(["cut", this.name], { timeoutMs: UP_MS });
  }

  async console(): Promise<string> {
    return (await this.#drive(["console", this.name])).stdout;
  }

  async down(): Promise<void> {
    await this.#drive(["down", this.name], { allowFailure: true, timeoutMs: 120_000 });
  }

  /** A relay must outlive connections that are broken off. */
  async #relay(words: readonly string[]): Promise<void> {
    const { code, stderr } = await spawned(
      ["sh", "-c", 'trap "" PIPE && exec "$@"', "relay", this.#script, ...words],
      {},
      this.#environment,
    );
    if (code !== 0) throw new Error(`${this.name}: ${words.join(" ")}: ${stderr.slice(-TAIL)}`);
  }

  async #drive(words: readonly string[], options: ExecOptions = {}): Promise<Ran> {
    const ran = await spawned([this.#script, ...words], options, this.#environment);
    if (ran.code === 0 || options.allowFailure) return ran;
    const said = `${ran.stdout.slice(-TAIL)}${ran.stderr.slice(-TAIL)}`.trim();
    throw new Error(`${this.name}: ${words.slice(2).join(" ")}: code ${ran.code}: ${said}`);
  }
}

/**
 * Runs a program on this host to its end. What it prints goes through files: a pipe would stay open as long
 * as what the harness leaves running in the background holds it.
 */
export async function spawned(
  command: readonly string[],
  { input, timeoutMs = EXEC_MS }: ExecOptions = {},
  environment: Environment = {},
): Promise<Ran> {
  const folder = mkdtempSync(join(tmpdir(), "galaxy-ran-"));
  const [out, err] = [join(folder, "out"), join(folder, "err")];
  try {
    const run = Bun.spawn([...command], {
      stdin: input === undefined ? "ignore" : new Blob([input]),
      stdout: Bun.file(out),
      stderr: Bun.file(err),
      env: { ...process.env, ...environment },
      timeout: timeoutMs,
    });
    const code = await run.exited;
    const [stdout, stderr] = [readFileSync(out, "utf8"), readFileSync(err, "utf8")];
    if (run.signalCode === null || code === 0) return { code, stdout, stderr };
    throw new Error(
      `${command.slice(1).join(" ")}: no end after ${timeoutMs} ms: ${stderr.slice(-TAIL)}`,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
