import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import type { DatabasePlace } from "#test/support/database.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { SYSTEM, TEST_SETTINGS } from "#test/support/registry.ts";
import { nodeCaller } from "@/core/caller.ts";
import { type NodeId, nodeIdOf, type PoolId, poolIdOf } from "@/core/ids.ts";
import { parseUsdt } from "@/core/money.ts";
import type { Node } from "@/core/node.ts";
import { addressHash, NO_STATEMENT, signAddress } from "@/core/payout/address.ts";
import type { Pool } from "@/core/pool.ts";
import type { ClosedCredits, NodeCredit } from "@/core/poot/booking.ts";
import { createChecks } from "@/drivers/checks.ts";
import { openFiles } from "@/drivers/files.ts";
import { createMetrics } from "@/drivers/metrics.ts";
import { createManualRail } from "@/drivers/rails/manual.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import { Events } from "@/kernel/events.ts";
import { Audit } from "@/modules/audit/service.ts";
import { AUDIT_MIGRATIONS } from "@/modules/audit/table.ts";
import type { BookingTerms, CreditSource, TariffTerms } from "@/modules/ledger/parts.ts";
import { Ledger } from "@/modules/ledger/service.ts";
import { LEDGER_MIGRATIONS } from "@/modules/ledger/table.ts";
import type { PayoutSettings } from "@/modules/payouts/parts.ts";
import { Payouts } from "@/modules/payouts/service.ts";
import { PAYOUT_MIGRATIONS } from "@/modules/payouts/table.ts";
import { Registry } from "@/modules/registry/service.ts";
import { REGISTRY_MIGRATIONS } from "@/modules/registry/table.ts";
import type { Database, Write } from "@/ports/database.ts";
import type { Rail } from "@/ports/rail.ts";
import { assert } from "@/std/assert.ts";
import { utf8 } from "@/std/bytes.ts";
import { type SigningKey, sha256, signingKey } from "@/std/crypto.ts";

export const SLOT_SECONDS = 30;
export const SLOTS = 10;
export const INTERVAL_MS = SLOT_SECONDS * SLOTS * 1000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
/** Noon of a Monday. */
export const START_MS = Date.UTC(2026, 0, 5, 12);

/** What a node earns in an interval, unless a test says otherwise. */
export interface Earns {
  readonly ticks?: number;
  readonly weight?: number;
  readonly health?: number;
}

/** Credits as the proof of operational time hands them over; they outlive a crash, as its disk does. */
export class TestCredits implements CreditSource {
  readonly closed: ClosedCredits[] = [];
  readonly #clock: TestClock;
  epoch = 0;
  trusted = true;
  booked = 0n;

  constructor(clock: TestClock) {
    this.#clock = clock;
  }

  poolTime() {
    const nowMs = this.#clock.now();
    const slot = Math.floor(nowMs / (SLOT_SECONDS * 1000));
    const { epoch, trusted } = this;
    return { nowMs, slot, slotSeconds: SLOT_SECONDS, slotsPerInterval: SLOTS, epoch, trusted };
  }

  /** An interval passes, and these nodes earn in it. */
  pass(pool: PoolId, earners: Readonly<Record<NodeId, Earns>>): void {
    this.#clock.advance(INTERVAL_MS);
    this.close(pool, earners);
  }

  /** Closes the interval before this one. */
  close(pool: PoolId, earners: Readonly<Record<NodeId, Earns>>): void {
    const { slot } = this.poolTime();
    const firstSlot = slot - (slot % SLOTS) - SLOTS;
    const credits = Object.entries(earners).map(([node, earns]): NodeCredit => {
      const { ticks = SLOTS, weight = 1_000, health = 1_000 } = earns as Earns;
      return {
        node: node as NodeId,
        fromSlot: firstSlot,
        toSlot: firstSlot + SLOTS - 1,
        ticks,
        weightPermille: weight,
        healthPermille: health,
        claim: utf8(`claim of ${node} at ${this.epoch}:${firstSlot}`),
      };
    });
    const cursor = BigInt(this.closed.length + 1);
    this.closed.push({ cursor, pool, epoch: this.epoch, firstSlot, slots: SLOTS, credits });
  }

  async closeDue(): Promise<void> {}

  intervalsBehind(): number {
    return 0;
  }

  async bookedUntil(cursor: bigint): Promise<void> {
    this.booked = cursor;
  }

  async creditsAfter(cursor: bigint, limit = 50): Promise<readonly ClosedCredits[]> {
    return this.closed.filter((one) => one.cursor > cursor).slice(0, limit);
  }

  async creditsOf(
    { pool, from, to }: { readonly pool: PoolId; readonly from: number; readonly to: number },
    node: NodeId,
  ): Promise<readonly ClosedCredits[]> {
    return this.closed
      .filter((one) => one.pool === pool && one.firstSlot >= from && one.firstSlot <= to)
      .map((one) => ({ ...one, credits: one.credits.filter((credit) => credit.node === node) }))
      .filter(({ credits }) => credits.length > 0);
  }
}

/** What a test may choose. */
export interface MoneyTerms {
  readonly place?: DatabasePlace;
  readonly usdtPerHour?: string;
  readonly weights?: TariffTerms["weights"];
  readonly dailyBudget?: string;
  readonly booking?: Partial<BookingTerms>;
  readonly payout?: Partial<PayoutSettings>;
}

/** Everything about money, but for heartbeats and the network; it can crash and start again. */
export class MoneyWorld {
  readonly clock = new TestClock(START_MS);
  readonly credits = new TestCredits(this.clock);
  readonly keys = new Map<PoolId | NodeId, SigningKey>();
  /** Days on which nodes changed their keys. */
  readonly rotatedAtMs = new Map<NodeId, number>();
  readonly folder = temporaryFolder();
  readonly metrics = createMetrics();
  readonly checks = createChecks();
  readonly log = pino({ level: "silent" });
  readonly events = new Events(this.log);
  /** Called before each commit and each push of payouts; a test throws here to crash the process. */
  crashBefore: (what: "commit" | "push") => void = () => {};
  crashAfter: (what: "commit" | "push") => void = () => {};
  terms: MoneyTerms;
  #database: Database | undefined;
  #parts: Awaited<ReturnType<MoneyWorld["startParts"]>> | undefined;
  #numbers = 0;

  private constructor(terms: MoneyTerms) {
    this.terms = terms;
  }

  static async start(terms: MoneyTerms = {}): Promise<MoneyWorld> {
    const world = new MoneyWorld(terms);
    await world.restart();
    return world;
  }

  /** Everything in memory is gone; the disk is opened again. */
  async restart(terms: Partial<MoneyTerms> = {}): Promise<void> {
    this.terms = { ...this.terms, ...terms };
    if (this.terms.place) {
      await this.#database?.close();
      this.#database = await this.terms.place.open(this.clock);
    }
    this.#database ??= openSqlite({ path: ":memory:", clock: this.clock, onFailed: raise });
    this.#parts = await this.startParts(this.#database);
  }

  get database(): Database {
    assert(this.#database, "the world has started");
    return this.#database;
  }

  get ledger(): Ledger {
    return this.#running.ledger;
  }

  get payouts(): Payouts {
    return this.#running.payouts;
  }

  get registry(): Registry {
    return this.#running.registry;
  }

  get rail(): Rail {
    return this.#running.rail;
  }

  get #running() {
    assert(this.#parts, "the world has started");
    return this.#parts;
  }

  async pool(name = "home"): Promise<Pool> {
    return this.registry.createPool(SYSTEM, { name });
  }

  /** A new member, with an address unless it has none. */
  async node(pool: Pool, address: string | null = "bank 1"): Promise<Node> {
    const key = signingKey(sha256(utf8(`node ${++this.#numbers}`)));
    const id = nodeIdOf(key.publicKey);
    this.keys.set(id, key);
    const node = await this.registry.admit(SYSTEM, {
      name: `node ${this.#numbers}`,
      specialization: "storage",
      pool: pool.id,
      publicKey: key.publicKey,
    });
    if (address !== null) await this.setAddress(node, pool, address);
    return node;
  }

  /** The node says where to pay it, following its newest statement. */
  async setAddress(node: Node, pool: Pool, address: string, rail = "manual") {
    const known = await this.payouts.addresses.find(pool.id, node.id);
    const statement = this.statement(node, pool, { address, rail, previous: known.newest });
    return this.payouts.addresses.set(nodeCaller(node.id), statement);
  }

  statement(
    node: Node,
    pool: Pool,
    terms: {
      readonly address: string;
      readonly rail?: string;
      readonly previous?: Uint8Array;
      readonly slot?: number;
    },
  ): Uint8Array {
    const { address, rail = "manual", previous = NO_STATEMENT } = terms;
    const { slot = this.credits.poolTime().slot } = terms;
    const key = this.keyOf(node.id);
    const [nodeKey, poolKey] = [key.publicKey, pool.publicKey];
    return signAddress({ nodeKey, poolKey, rail, address, previous, slot }, key);
  }

  hashOf(statement: Uint8Array): Uint8Array {
    return addressHash(statement);
  }

  keyOf(id: PoolId | NodeId): SigningKey {
    const key = this.keys.get(id);
    assert(key, `the key of ${id} is known`);
    return key;
  }

  /** So many hours pass in which all of these earn, interval by interval. */
  earn(pool: Pool, hours: number, ...nodes: readonly Node[]): void {
    const earners = Object.fromEntries(nodes.map(({ id }) => [id, {}]));
    for (let left = hours * (HOUR_MS / INTERVAL_MS); left > 0; left--) {
      this.credits.pass(pool.id, earners);
    }
  }

  /** So many hours in one interval: quick, where only the sum matters. */
  earnAtOnce(pool: Pool, hours: number, ...nodes: readonly Node[]): void {
    const ticks = (hours * HOUR_MS) / (SLOT_SECONDS * 1000);
    this.credits.pass(pool.id, Object.fromEntries(nodes.map(({ id }) => [id, { ticks }])));
  }

  async startParts(disk: Database) {
    const database = this.#watched(disk);
    await database.migrate(AUDIT_MIGRATIONS);
    await database.migrate(REGISTRY_MIGRATIONS);
    await database.migrate(LEDGER_MIGRATIONS);
    await database.migrate(PAYOUT_MIGRATIONS);
    const { clock, events, log, credits: poot, terms } = this;
    const audit = new Audit(disk, clock);
    const authority = {
      createPool: () => this.#createPool(),
      poolKey: (pool: PoolId) => this.keyOf(pool),
    };
    const random = { bytes: (length: number) => new Uint8Array(length), fraction: () => 0.5 };
    const shared = { database, clock, events, log, audit, poot };
    const registry = await Registry.open({
      ...shared,
      ...{ database: disk, random, authority, settings: TEST_SETTINGS },
    });
    registry.countSlotsWith(() => poot.poolTime().slot);
    const ledger = await Ledger.open({ ...shared, authority, registry }, tariffOf(terms));
    ledger.bookBy({ feePermille: 0, maturitySeconds: 0, ...terms.booking });
    await ledger.settleTariff();
    const rail = this.#watchedRail(createManualRail(openFiles(this.folder.path)));
    const payouts = await Payouts.open({
      ...{ ...shared, registry, ledger, rail },
      access: { rotatedAtMs: async (node) => this.rotatedAtMs.get(node) },
      terms: {
        thresholdMicro: 10_000_000n,
        intervalMs: HOUR_MS,
        itemsMax: 100,
        ...terms.payout,
      },
    });
    return { registry, ledger, payouts, rail };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#database?.close();
    this.folder[Symbol.dispose]();
  }

  #createPool() {
    const key = signingKey(sha256(utf8(`pool ${this.keys.size}`)));
    const id = poolIdOf(key.publicKey);
    this.keys.set(id, key);
    return { id, publicKey: key.publicKey };
  }

  /** The same database; a test may end the process before or after a commit. */
  #watched(disk: Database): Database {
    return new Proxy(disk, {
      get: (target, name) => {
        if (name === "commit") return (writes: readonly Write[]) => this.#commit(target, writes);
        const member = Reflect.get(target, name, target);
        return typeof member === "function" ? member.bind(target) : member;
      },
    });
  }

  async #commit(disk: Database, writes: readonly Write[]): Promise<void> {
    this.crashBefore("commit");
    await disk.commit(writes);
    this.crashAfter("commit");
  }

  #watchedRail(rail: Rail): Rail {
    return {
      ...rail,
      push: async (sealed) => {
        this.crashBefore("push");
        await rail.push(sealed);
        this.crashAfter("push");
      },
    };
  }
}

function tariffOf({ usdtPerHour = "0.01", weights = {}, dailyBudget }: MoneyTerms): TariffTerms {
  return {
    microPerHour: parseUsdt(usdtPerHour),
    weights,
    dailyBudgetMicro: dailyBudget === undefined ? undefined : parseUsdt(dailyBudget),
  };
}

function raise(fault: unknown): never {
  throw fault;
}
