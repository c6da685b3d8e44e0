import type { Ledger } from "@/modules/ledger/service.ts";
import type { Payouts } from "@/modules/payouts/service.ts";
import type { Poot } from "@/modules/poot/service.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Checks, Verdict } from "@/ports/checks.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Host, HostInventory, HostSample } from "@/ports/host.ts";
import { VERSION } from "@/std/version.ts";
import { HostHistory } from "./history.ts";

/** What health is made from. */
export interface HealthParts {
  readonly clock: Clock;
  readonly host: Host;
  readonly checks: Checks;
  readonly registry: Registry;
  readonly poot: Poot;
  readonly ledger: Ledger;
  readonly payouts: Payouts;
}

/** The answer of `/health`, as the sources of this project show it, and why. */
export interface HealthView {
  readonly status: "healthy" | "unhealthy";
  readonly service: "lucid-node-management";
  readonly version: string;
  readonly checks: Readonly<Record<string, Verdict>>;
}

/** Samples this host, and says how the pool is. */
export class Health {
  readonly history = new HostHistory();
  readonly #parts: HealthParts;
  readonly #startedMs: number;
  readonly #warnings: (() => readonly string[])[] = [];
  #inventory: Promise<HostInventory> | undefined;

  constructor(parts: HealthParts) {
    this.#parts = parts;
    this.#startedMs = parts.clock.monotonic();
  }

  /** Another module warns on the status screen; it is no reason to call the pool unhealthy. */
  warnWith(warnings: () => readonly string[]): void {
    this.#warnings.push(warnings);
  }

  /** Takes one reading of the board. */
  sample(): void {
    this.history.add(this.#parts.host.sample());
  }

  /** The newest reading; taken now when there is none. */
  latest(): HostSample {
    const known = this.history.latest();
    if (known) return known;
    this.sample();
    return this.latest();
  }

  /** What this board is; asked once. */
  inventory(): Promise<HostInventory> {
    this.#inventory ??= this.#parts.host.inventory().catch((error: unknown) => {
      this.#inventory = undefined;
      throw error;
    });
    return this.#inventory;
  }

  /** Whether the kernel says that its clock is synchronised; null when it does not say. */
  clockSynchronised(): boolean | null {
    return this.#parts.host.isClockSynchronised();
  }

  /** Runs every check. */
  async view(): Promise<HealthView> {
    const verdicts = await this.#parts.checks.run();
    const healthy = [...verdicts.values()].every(({ ok }) => ok);
    return {
      status: healthy ? "healthy" : "unhealthy",
      service: "lucid-node-management",
      version: VERSION,
      checks: Object.fromEntries(verdicts),
    };
  }

  /** Everything an operator wants on one screen. */
  async status() {
    const { clock, poot, payouts } = this.#parts;
    const health = await this.view();
    const nextRunMs = payouts.nextRunAtMs();
    const open = payouts.openBatch();
    const { temperatureCelsius, diskFreeBytes } = this.latest();
    return {
      version: VERSION,
      status: health.status,
      up_seconds: Math.floor((clock.monotonic() - this.#startedMs) / 1000),
      pool_time: new Date(poot.poolTime().nowMs).toISOString(),
      pools: this.#pools(),
      money: {
        ...(await this.#money()),
        next_payout_at: nextRunMs === null ? null : new Date(nextRunMs).toISOString(),
        open_batch: open && {
          batch_id: open.id,
          sealed_at: new Date(open.sealedAtMs).toISOString(),
        },
      },
      host: {
        written_bytes_per_day: this.history.writtenBytesPerDay(),
        temperature_celsius: temperatureCelsius,
        disk_free_bytes: diskFreeBytes,
      },
      suspended: suspendedIn(this.#parts.registry),
      warnings: [
        ...warningsOf(health, this.latest()),
        ...this.#warnings.flatMap((warnings) => [...warnings()]),
      ],
    };
  }

  #pools() {
    const { registry, poot } = this.#parts;
    return registry.listPools().map(({ id, name, kind }) => {
      const nodes: Record<string, number> = {};
      for (const { state } of registry.nodesOf(id)) nodes[state] = (nodes[state] ?? 0) + 1;
      return { pool_id: id, name, kind, nodes, slots_today: { ...poot.dayOfPool(id) } };
    });
  }

  async #money() {
    const totals = await this.#parts.ledger.totals();
    return {
      credited_today_micro_usdt: `${totals.creditedToday}`,
      owed_micro_usdt: `${totals.owed}`,
      payable_micro_usdt: `${totals.payable}`,
      pending_micro_usdt: `${totals.pending}`,
      paid_micro_usdt: `${totals.paid}`,
    };
  }
}

const SUSPENDED_SHOWN_MAX = 20;
const DISK_FREE_WARN_BYTES = 500e6;

/** Suspended nodes, those first that are removed next. */
function suspendedIn(registry: Registry) {
  const found = registry.listPools().flatMap(({ id }) => [...registry.nodesOf(id)]);
  const shown = found.flatMap((node) => {
    const { suspension } = registry.nodeView(node);
    if (!suspension) return [];
    const { reason, since, remove_at } = suspension;
    return [{ node_id: node.id, pool_id: node.pool, name: node.name, reason, since, remove_at }];
  });
  const until = (one: { readonly remove_at: string | null }) => one.remove_at ?? "never";
  return shown.sort((a, b) => (until(a) < until(b) ? -1 : 1)).slice(0, SUSPENDED_SHOWN_MAX);
}

function warningsOf(health: HealthView, sample: HostSample): string[] {
  const failed = Object.entries(health.checks)
    .filter(([, { ok }]) => !ok)
    .map(([name, { detail }]) => `${name}: ${detail}`);
  const warned = Object.entries(health.checks).flatMap(([name, { warning }]) =>
    warning === undefined ? [] : [`${name}: ${warning}`],
  );
  const hot = sample.throttled === true ? ["host: the board throttles itself; cool it"] : [];
  const full =
    sample.diskFreeBytes !== null && sample.diskFreeBytes < DISK_FREE_WARN_BYTES
      ? [`host: only ${Math.floor(sample.diskFreeBytes / 1e6)} MB are free on the data disk`]
      : [];
  return [...failed, ...warned, ...hot, ...full];
}
