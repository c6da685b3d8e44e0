import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { TestNode } from "#test/support/node.ts";
import { SYSTEM, TEST_SETTINGS } from "#test/support/registry.ts";
import type { PoolId } from "@/core/ids.ts";
import type { Pool } from "@/core/pool.ts";
import type { NodeCredit } from "@/core/poot/booking.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { openFiles } from "@/drivers/files.ts";
import { createMetrics } from "@/drivers/metrics.ts";
import { systemRandom } from "@/drivers/random.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import { Events } from "@/kernel/events.ts";
import { Audit } from "@/modules/audit/service.ts";
import { AUDIT_MIGRATIONS } from "@/modules/audit/table.ts";
import { initialise } from "@/modules/certificates/initialise.ts";
import { Authority } from "@/modules/certificates/service.ts";
import { followRegistry } from "@/modules/poot/following.ts";
import { Poot } from "@/modules/poot/service.ts";
import { POOT_MIGRATIONS } from "@/modules/poot/table.ts";
import { runPoot } from "@/modules/poot/timers.ts";
import { Registry } from "@/modules/registry/service.ts";
import { REGISTRY_MIGRATIONS } from "@/modules/registry/table.ts";
import type { Database } from "@/ports/database.ts";
import { assert } from "@/std/assert.ts";

/** The length of a slot in tests, and how many an interval has. */
export const SLOT_MS = 30_000;
export const SLOTS = 10;
/** So often the clock is asked within a slot. */
const STEP_MS = SLOT_MS / 20;

/** What a test may choose. */
export interface WorldTerms {
  readonly database?: (clock: TestClock) => Promise<Database>;
  readonly maxNodes?: number;
  readonly startMs?: number;
}

/** What outlives a crash of the pool: the disk, and time. */
interface Place {
  readonly clock: TestClock;
  readonly database: Database;
  readonly folder: ReturnType<typeof temporaryFolder>;
  readonly maxNodes: number;
}

/** What runs, and is gone after a crash. */
async function startParts({ clock, database, folder, maxNodes }: Place, lines: string[]) {
  const [files, certificates, random] = [
    openFiles(folder.path),
    createCertificates(),
    systemRandom(),
  ];
  const log = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  await initialise({ files, certificates, random, nowMs: clock.now() });
  await database.migrate(AUDIT_MIGRATIONS);
  await database.migrate(REGISTRY_MIGRATIONS);
  await database.migrate(POOT_MIGRATIONS);
  const names = () => ({ dnsNames: ["pi"], ipAddresses: [] });
  const authority = new Authority({
    files,
    certificates,
    random,
    names,
    overlapMs: 30 * 86_400_000,
  });
  const events = new Events(log);
  const metrics = createMetrics();
  const audit = new Audit(database, clock);
  const shared = { database, clock, events, log, audit, authority, metrics };
  const settings = { ...TEST_SETTINGS, maxNodes };
  const registry = await Registry.open({ ...shared, random, settings });
  const slots = { slotSeconds: SLOT_MS / 1000, slotsPerInterval: SLOTS };
  const poot = await Poot.open({ ...shared, registry, settings: slots });
  registry.countSlotsWith(() => poot.poolTime().slot);
  const unfollow = followRegistry(poot, events, log);
  const stop = runPoot(poot, clock, raise);
  return { registry, poot, metrics, events, unfollow, stop };
}

function raise(fault: unknown): never {
  throw fault;
}

/** A pool with honest nodes; all of it is the real thing but for the clock and the network. */
export class PootWorld {
  readonly nodes: TestNode[] = [];
  /** What was logged, as JSON lines. */
  readonly lines: string[];
  readonly #place: Place;
  #parts: Awaited<ReturnType<typeof startParts>>;
  #stopped = false;

  private constructor(
    place: Place,
    parts: Awaited<ReturnType<typeof startParts>>,
    lines: string[],
  ) {
    this.#place = place;
    this.#parts = parts;
    this.lines = lines;
  }

  static async start(terms: WorldTerms = {}): Promise<PootWorld> {
    const clock = new TestClock(terms.startMs ?? Date.UTC(2026, 0, 5, 12));
    const open =
      terms.database ?? (async () => openSqlite({ path: ":memory:", clock, onFailed: raise }));
    const folder = temporaryFolder();
    const place = { clock, database: await open(clock), folder, maxNodes: terms.maxNodes ?? 100 };
    const lines: string[] = [];
    return new PootWorld(place, await startParts(place, lines), lines);
  }

  get poot(): Poot {
    return this.#parts.poot;
  }

  get registry(): Registry {
    return this.#parts.registry;
  }

  get clock(): TestClock {
    return this.#place.clock;
  }

  get events(): Events {
    return this.#parts.events;
  }

  get database(): Database {
    return this.#place.database;
  }

  get metrics() {
    return this.#parts.metrics;
  }

  /** The first node; most tests need no other. */
  get node(): TestNode {
    const [node] = this.nodes;
    assert(node, "there is a node");
    return node;
  }

  /** A new pool. */
  async pool(name = "home"): Promise<Pool> {
    const pool = await this.registry.createPool(SYSTEM, { name });
    await this.poot.addPool(pool.id);
    return pool;
  }

  /** So many new members of a pool. */
  async join(pool: Pool, count: number): Promise<readonly TestNode[]> {
    const joined: TestNode[] = [];
    for (let at = 0; at < count; at++) {
      const node = new TestNode(this.nodes.length + 1, pool.publicKey);
      const { publicKey } = node.key;
      const name = `node ${this.nodes.length + 1}`;
      await this.registry.admit(SYSTEM, {
        name,
        specialization: "storage",
        pool: pool.id,
        publicKey,
      });
      this.nodes.push(node);
      joined.push(node);
    }
    return joined;
  }

  /** So many slots pass; in the middle of each, `act` happens: every node beats unless told else. */
  async slots(count: number, act: (at: number) => void = () => this.beatAll()): Promise<void> {
    for (let at = 0; at < count; at++) {
      const { nowMs } = this.poot.poolTime();
      const toMiddleMs = (SLOT_MS * 1.5 - (nowMs % SLOT_MS)) % SLOT_MS || SLOT_MS;
      await this.pass(toMiddleMs);
      act(at);
    }
  }

  beatAll(): void {
    for (const node of this.nodes) node.beat(this.poot);
  }

  /** Time passes, and what it brought is done. */
  async pass(ms: number): Promise<void> {
    await this.clock.pass(ms, STEP_MS);
    if (!this.#stopped) await this.poot.closeDue();
  }

  /** Every node beats to the end of the interval; then it is closed. */
  async finish(): Promise<void> {
    while ((this.poot.poolTime().slot + 1) % SLOTS !== 0) await this.slots(1);
    await this.close();
  }

  /** Passes into the first slot of the next interval, so that the one before is closed. */
  async close(): Promise<void> {
    const intervalMs = SLOT_MS * SLOTS;
    await this.pass(intervalMs - (this.clock.now() % intervalMs) + STEP_MS);
  }

  /** The process is gone in this moment, and nothing was written. */
  kill(): void {
    this.#parts.unfollow();
    this.clock.forgetTimers();
    this.#stopped = true;
  }

  /** Starts again on the same disk. */
  async restart(): Promise<void> {
    this.#parts = await startParts(this.#place, this.lines);
    this.#stopped = false;
  }

  /** Another process on the same disk that knows what is there now. */
  async another(): Promise<Poot> {
    return (await startParts(this.#place, this.lines)).poot;
  }

  /** A graceful stop. */
  async stop(): Promise<void> {
    await this.#parts.stop();
    this.#parts.unfollow();
    this.#stopped = true;
  }

  /** All credits of a node, as the closed intervals tell them; at one pool, or at all. */
  async creditsOf({ id }: TestNode, pool?: PoolId): Promise<readonly NodeCredit[]> {
    const closed = await this.poot.creditsAfter(0n, 10_000);
    return closed
      .filter((interval) => pool === undefined || interval.pool === pool)
      .flatMap(({ credits }) => credits.filter(({ node }) => node === id));
  }

  /** All ticks that were ever credited to a node. */
  async creditedTicks(node: TestNode, pool?: PoolId): Promise<number> {
    const credits = await this.creditsOf(node, pool);
    return credits.reduce((sum, { ticks }) => sum + ticks, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill();
    await this.database.close();
    this.#place.folder[Symbol.dispose]();
  }
}
