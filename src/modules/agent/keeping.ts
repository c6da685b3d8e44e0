import { decodeNodeMemory, encodeNodeMemory } from "@/core/poot/node-memory.ts";
import type { NodeMemory } from "@/core/poot/node-session.ts";
import type { Files } from "@/ports/files.ts";
import { fromBase64, fromHex, toBase64, toHex } from "@/std/bytes.ts";
import { type SigningKey, signingKey } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";

/** What a node knows of the pool it joined, and what it says of itself. */
export interface Membership {
  readonly installationId: string;
  readonly nodeId: string;
  readonly poolId: string;
  readonly poolKey: Uint8Array;
  /** host:port, tried in turn. */
  readonly addresses: readonly string[];
  readonly slotSeconds: number;
  readonly name: string;
  readonly specialization: string;
  readonly endpoint: string;
  readonly org: string;
  readonly metadata: Readonly<Record<string, string>>;
  /** Whether the pool was told all this; once is enough, an operator may have changed it since. */
  readonly isIntroduced: boolean;
  /** When to renew the certificate, by the pool's clock. */
  readonly renewAtMs: number;
  /** The newest pool time heard; certificates are dated against it while the clock is not to be believed. */
  readonly poolTimeMs: number;
}

/** By kind, where a mark of the machine was read, and its hash. */
export type MachineMarks = Readonly<Record<string, string>>;

/** What `node run` tells the other commands of the same folder. */
export interface RunState {
  readonly pid: number;
  readonly connected: boolean;
  readonly address: string;
  readonly sinceMs: number;
  readonly problem: string;
}

const KEY = "node.key";
const MEMBERSHIP = "node.json";
const ROOT = "root.pem";
const CERTIFICATE = "certificate.pem";
const MEMORY = "session.bin";
const STATE = "run.json";
const MAINTENANCE = "maintenance.json";
const MACHINE = "machine.json";

/** The folder of a node: its key never leaves it. */
export class Keeping {
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  /** The node's key; made and stored before anything is sent when there is none. */
  seed(makeSeed: () => Uint8Array): Uint8Array {
    const kept = fromHex(this.#files.readText(KEY)?.trim() ?? "");
    if (kept?.length === 32) return kept;
    const seed = makeSeed();
    this.#files.write(KEY, `${toHex(seed)}\n`);
    return seed;
  }

  /** The key of a node that has joined. */
  key(): SigningKey {
    const seed = fromHex(this.#files.readText(KEY)?.trim() ?? "");
    if (seed?.length !== 32) throw this.notJoined();
    return signingKey(seed);
  }

  /** The machine the key was made on; undefined when nobody noted it. */
  machineMarks(): MachineMarks | undefined {
    const text = this.#files.readText(MACHINE);
    return text === undefined ? undefined : (JSON.parse(text) as MachineMarks);
  }

  saveMachineMarks(marks: MachineMarks): void {
    this.#files.write(MACHINE, `${JSON.stringify(marks)}\n`);
  }

  findMembership(): Membership | undefined {
    const text = this.#files.readText(MEMBERSHIP);
    if (text === undefined) return undefined;
    const { poolKey, ...rest } = JSON.parse(text) as Omit<Membership, "poolKey"> & {
      poolKey: string;
    };
    return { ...rest, poolKey: fromBase64(poolKey) ?? new Uint8Array() };
  }

  membership(): Membership {
    const found = this.findMembership();
    if (!found) throw this.notJoined();
    return found;
  }

  /** Refuses unless everything is there that joining leaves behind. */
  requireWhole(): void {
    this.membership();
    this.key();
    this.rootPem();
    this.certificatePem();
  }

  saveMembership(membership: Membership): void {
    const { poolKey, ...rest } = membership;
    const text = JSON.stringify({ ...rest, poolKey: toBase64(poolKey) }, null, 2);
    this.#files.write(MEMBERSHIP, `${text}\n`);
  }

  /** The roots this node trusts, one after the other, the newest first. */
  rootPem(): string {
    const pem = this.#files.readText(ROOT);
    if (pem === undefined) throw this.notJoined();
    return pem;
  }

  saveRoots(pem: string): void {
    this.#files.write(ROOT, pem);
  }

  certificatePem(): string {
    const pem = this.#files.readText(CERTIFICATE);
    if (pem === undefined) throw this.notJoined();
    return pem;
  }

  saveCertificates(rootPem: string, certificatePem: string): void {
    this.#files.write(ROOT, rootPem);
    this.#files.write(CERTIFICATE, certificatePem);
  }

  /** What is carried over a restart; a broken file is as good as none. */
  memory(): NodeMemory {
    try {
      const bytes = this.#files.read(MEMORY);
      return bytes ? decodeNodeMemory(bytes) : { last: undefined, ack: undefined };
    } catch {
      return { last: undefined, ack: undefined };
    }
  }

  saveMemory(memory: NodeMemory): void {
    this.#files.write(MEMORY, encodeNodeMemory(memory));
  }

  runState(): RunState | undefined {
    const text = this.#files.readText(STATE);
    return text === undefined ? undefined : (JSON.parse(text) as RunState);
  }

  saveRunState(state: RunState): void {
    this.#files.write(STATE, `${JSON.stringify(state)}\n`);
  }

  /** Until when maintenance was announced, by this machine's wall clock; 0 for none. */
  maintenanceUntilMs(): number {
    const text = this.#files.readText(MAINTENANCE);
    return text === undefined ? 0 : (JSON.parse(text) as { until_ms: number }).until_ms;
  }

  announceMaintenance(untilMs: number): void {
    this.#files.write(MAINTENANCE, `${JSON.stringify({ until_ms: untilMs })}\n`);
  }

  /** What this node saw of an installation's audit log, as text; it stays when the node leaves. */
  witnessed(installation: string): string | undefined {
    return this.#files.readText(witnessPath(installation));
  }

  saveWitnessed(installation: string, text: string): void {
    this.#files.write(witnessPath(installation), text);
  }

  /** Where it lies, for a person. */
  witnessedPath(installation: string): string {
    return `${this.#files.root}/${witnessPath(installation)}`;
  }

  /** After leaving: the key stays, so that joining again is the same node. */
  forgetPool(): void {
    for (const path of [MEMBERSHIP, ROOT, CERTIFICATE, MEMORY, STATE, MAINTENANCE])
      this.#files.remove(path);
  }

  /** Nothing is left of the node this folder held; the next one gets a key of its own. */
  forgetNode(): void {
    this.forgetPool();
    for (const path of [KEY, MACHINE]) this.#files.remove(path);
  }

  notJoined(): PoolError {
    return new PoolError(
      "precondition",
      "node.not_joined",
      `The folder ${this.#files.root} holds no node that has joined a pool. Run "galaxy-pool node join HOST --token …" first, or name another folder with --data.`,
    );
  }
}

function witnessPath(installation: string): string {
  return `witness/${installation}.json`;
}
