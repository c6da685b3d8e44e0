import { type Caller, systemCaller } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import { type Node, takesPlace } from "@/core/node.ts";
import type { ModuleContext } from "@/kernel/module.ts";
import type { Audit } from "@/modules/audit/service.ts";
import type { Authority } from "@/modules/certificates/service.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Database } from "@/ports/database.ts";
import { sameBytes, toBase32 } from "@/std/bytes.ts";
import type { NodeTrust } from "./node-trust.ts";
import type { PoolTime } from "./pool-time.ts";
import { clockUntrusted, noRotation, rootNeeded } from "./refusals.ts";

const ROTATED = "authority.rotated";
const FINISHED = "authority.finished";

/** What a rotation works with. */
export interface RotationParts {
  readonly database: Database;
  readonly audit: Audit;
  readonly authority: Authority;
  readonly registry: Registry;
  readonly trust: NodeTrust;
  readonly time: () => PoolTime;
  readonly log: ModuleContext<unknown>["log"];
}

/**
 * Replaces the root of the installation without enrolling anybody anew (trust.md, section 2, step 12).
 *
 * The next root is on disk before the row that decides for it, and that row before the root is used:
 * a rotation that was cut off is completed at the next start when its row is there, and forgotten when not.
 */
export class Rotation {
  readonly #parts: RotationParts;
  /** One act after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(parts: RotationParts) {
    this.#parts = parts;
    parts.authority.informWhen((node) => this.#isBehind(node));
  }

  /** Ends what a crash has cut off. */
  async resume(): Promise<void> {
    const { authority, log } = this.#parts;
    const prepared = authority.preparedRoot();
    if (prepared && (await this.#isDecided(ROTATED, prepared.pin))) {
      await authority.takeRoot(this.#nowMs);
      log.info({ pin: toBase32(authority.pin) }, "a root rotation was completed");
    } else if (prepared) authority.dropPreparedRoot();
    const before = authority.previousRoot;
    if (before && (await this.#isDecided(FINISHED, before.pin))) {
      await authority.forgetPreviousRoot();
    }
  }

  /** Makes a new root and uses it; the one before is believed until the overlap ends. */
  rotate(caller: Caller): Promise<void> {
    return this.#inTurn(async () => {
      const { authority, database, audit, log, time } = this.#parts;
      if (!time().trusted) throw clockUntrusted();
      await this.resume();
      const before = toBase32(authority.pin);
      const { pin, untilMs } = await authority.prepareRoot(this.#nowMs);
      const subject = toBase32(pin);
      const detail = { before, until: new Date(untilMs).toISOString() };
      await database.commit([audit.row(caller, ROTATED, subject, detail)]);
      await authority.takeRoot(this.#nowMs);
      log.info({ pin: subject, before }, "the root was rotated");
    });
  }

  /** Believes the new root only; refused while nodes need the one before, unless it is forced. */
  finish(caller: Caller, isForced: boolean): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#parts.authority.previousRoot;
      if (!before) throw noRotation();
      const needed = this.dependents().length;
      if (needed > 0 && !isForced) throw rootNeeded(needed);
      await this.#finish(caller, before.pin, needed);
    });
  }

  /** Ends an overlap whose time is over, whoever still needs it. */
  finishWhenOver(): Promise<void> {
    return this.#inTurn(async () => {
      const before = this.#parts.authority.previousRoot;
      const { nowMs, trusted } = this.#parts.time();
      if (!before || !trusted || nowMs < before.untilMs) return;
      await this.#finish(systemCaller("access"), before.pin, this.dependents().length);
    });
  }

  /** The nodes that have not said that they keep the new root, in the order of their ids. */
  dependents(): readonly Node[] {
    const { authority, registry } = this.#parts;
    if (!authority.previousRoot) return [];
    const nodes = registry.listPools().flatMap(({ id }) => [...registry.nodesOf(id)]);
    return nodes.filter(({ id }) => this.#isBehind(id)).sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  /** A node has joined: it keeps the root that signs now. */
  async joined(node: NodeId): Promise<void> {
    await this.#parts.trust.note(node, this.#parts.authority.pin);
  }

  /** A node says which root it keeps; what is no root of ours is not noted. */
  async said(node: NodeId, pin: Uint8Array): Promise<void> {
    const { authority, trust } = this.#parts;
    const pins = [authority.pin, authority.previousRoot?.pin];
    if (pins.some((known) => known && sameBytes(known, pin))) await trust.note(node, pin);
  }

  async #finish(caller: Caller, pin: Uint8Array, needed: number): Promise<void> {
    const { authority, database, audit, log } = this.#parts;
    const subject = toBase32(pin);
    await database.commit([audit.row(caller, FINISHED, subject, { nodes: needed })]);
    await authority.forgetPreviousRoot();
    log.info({ pin: subject, nodes: needed }, "the root before is not believed any more");
  }

  #isBehind(node: NodeId): boolean {
    const { authority, registry, trust } = this.#parts;
    const known = registry.findNode(node);
    return known !== undefined && takesPlace(known) && !trust.keeps(node, authority.pin);
  }

  async #isDecided(action: string, pin: Uint8Array): Promise<boolean> {
    const [row] = await this.#parts.database.sql
      .selectFrom("audit")
      .select("id")
      .where("subject", "=", toBase32(pin))
      .where("action", "=", action)
      .limit(1)
      .execute();
    return row !== undefined;
  }

  #inTurn(act: () => Promise<void>): Promise<void> {
    const done = this.#turn.then(act);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  get #nowMs(): number {
    return this.#parts.time().nowMs;
  }
}
