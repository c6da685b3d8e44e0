import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { spawned } from "./machine.ts";
import { OLD, type Release } from "./release.ts";
import { demand } from "./report.ts";

const JOIN_MS = 120_000;

/**
 * A node on this host: the released executable, in a folder of its own. It lives on while the board's power
 * is cut, and its log is its own record of what the pool has answered.
 */
export class FarNode {
  readonly #folder: string;
  readonly #program: string;
  #running: Bun.Subprocess | undefined;

  constructor(release: Release) {
    this.#folder = mkdtempSync(join(tmpdir(), "galaxy-far-"));
    this.#program = join(this.#folder, "galaxy-pool");
    const packed = release.bytes(OLD, `galaxy-pool-${OLD}-linux-${process.arch}.gz`);
    writeFileSync(this.#program, Bun.gunzipSync(Uint8Array.from(packed)), { mode: 0o755 });
  }

  /** Joins a pool with a token, to be paid at an address if one is given; answers the node's id. */
  async join(address: string, token: string, payAt?: string): Promise<string> {
    const paid = payAt === undefined ? [] : ["--payout-address", payAt];
    const words = ["node", "join", address, "--token", token, "--name", "far", "--json", ...paid];
    const { code, stdout, stderr } = await spawned(
      [this.#program, ...words, "--data", this.#data],
      { timeoutMs: JOIN_MS },
    );
    demand(code === 0, "the node on this host to join", stderr);
    return (JSON.parse(stdout) as { node_id: string }).node_id;
  }

  run(): void {
    const log = openSync(this.#log, "a");
    const words = ["node", "run", "--data", this.#data, "--log-level", "debug"];
    this.#running = Bun.spawn([this.#program, ...words], { stdio: ["ignore", log, log] });
    closeSync(log);
  }

  /** Its record; it must not have ended, for a node that restarts would carry less. */
  log(): string {
    demand(this.#running?.exitCode === null, "the node on this host to live", this.#tail());
    return readFileSync(this.#log, "utf8");
  }

  async close(): Promise<void> {
    this.#running?.kill("SIGTERM");
    await this.#running?.exited;
    rmSync(this.#folder, { recursive: true, force: true });
  }

  get #data(): string {
    return join(this.#folder, "data");
  }

  get #log(): string {
    return join(this.#folder, "node.log");
  }

  #tail(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, "utf8").slice(-500) : "";
  }
}
