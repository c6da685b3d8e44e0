import { create } from "@bufbuild/protobuf";
import { signAddress } from "@/core/payout/address.ts";
import { slotAt } from "@/core/poot/slot.ts";
import type { Logger } from "@/kernel/log.ts";
import type { Machine } from "@/ports/machine.ts";
import {
  DeregisterNodeRequestSchema,
  GetStandingRequestSchema,
  type PayoutAddress,
  Registry,
  SetPayoutAddressRequestSchema,
  type Standing,
} from "@/proto/registry_pb.ts";
import { isRefusal } from "@/std/errors.ts";
import type { JoinTerms } from "./joining.ts";
import { joinPool } from "./joining.ts";
import type { Membership, RunState } from "./keeping.ts";
import { type LinkParts, withLink } from "./link.ts";
import { requireOwnMachine } from "./own-machine.ts";
import { type Ending, Running } from "./running.ts";
import { type VisitTerms, visitorToken } from "./visiting.ts";
import { Witness, type WitnessView } from "./witness.ts";

const CALL_MS = 15_000;
const NO_HASH = new Uint8Array(32);

/** What the node's side works with. */
export interface AgentParts extends LinkParts {
  readonly machine: Machine;
}

/** The node's side: join, run, be paid, leave. */
export class Agent {
  readonly #parts: AgentParts;
  readonly #log: Logger;
  #running: Running | undefined;

  constructor(parts: AgentParts, log: Logger) {
    this.#parts = parts;
    this.#log = log;
  }

  /**
   * Enrols this machine and registers it; joining again with a new token is the same node. Where the key
   * was made on another machine the terms must say which node this is to be (`node.other_machine`).
   */
  async join(terms: JoinTerms & { readonly visit?: VisitTerms | undefined }): Promise<Membership> {
    const { visit, addresses, tell } = terms;
    if (!visit) return joinPool(this.#parts, terms);
    const token = await visitorToken(this.#parts, { addresses, visit, tell });
    return joinPool(this.#parts, { ...terms, token });
  }

  /**
   * Sends heartbeats until `stop`, or until the node has left; `told` hears when it is connected and
   * when not. Refuses at once where what joining left behind is not whole (`node.not_joined`), or was
   * left behind by another machine (`node.other_machine`).
   */
  run(told: (state: RunState) => void = () => {}): Promise<Ending> {
    this.#parts.keeping.requireWhole();
    requireOwnMachine(this.#parts);
    this.#running = new Running(this.#parts, this.#log, told);
    return this.#running.run();
  }

  /** Whether `run` goes on: it beats, connects or waits for its turn, and hangs nowhere. */
  isMoving(): boolean {
    return this.#running?.isMoving() ?? false;
  }

  /** Lets go of the connection of `run` and makes a new one, with what the folder says now. */
  reconnect(): void {
    this.#running?.reconnect();
  }

  /** Ends `run`. */
  stop(): void {
    this.#running?.stop();
  }

  /** What the pool says of this node. */
  standing(): Promise<Standing> {
    return withLink(this.#parts, ({ connection }) =>
      connection.call(Registry.method.getStanding, create(GetStandingRequestSchema), {
        timeoutMs: CALL_MS,
      }),
    );
  }

  /** Says where to pay this node: a statement signed by its key. The first takes effect at once. */
  async setAddress(rail: string, address: string): Promise<PayoutAddress> {
    requireOwnMachine(this.#parts);
    try {
      return await this.#stateAddress(rail, address);
    } catch (error) {
      const waitSeconds = secondsToNextStatement(error);
      if (waitSeconds === undefined) throw error;
      this.#log.warn({ waitSeconds }, "one statement a slot; waiting for the next slot");
      await new Promise<void>((done) => this.#parts.clock.after(waitSeconds * 1000, done));
      return this.#stateAddress(rail, address);
    }
  }

  #stateAddress(rail: string, address: string): Promise<PayoutAddress> {
    const { keeping } = this.#parts;
    const { poolKey, slotSeconds } = keeping.membership();
    const key = keeping.key();
    return withLink(this.#parts, async ({ connection, poolTimeMs }) => {
      const asked = create(GetStandingRequestSchema);
      const standing = await connection.call(Registry.method.getStanding, asked, {
        timeoutMs: CALL_MS,
      });
      const hash = standing.address?.statementHash;
      const previous = hash && hash.length === 32 ? hash : NO_HASH;
      const slot = slotAt(poolTimeMs, slotSeconds);
      const statement = signAddress(
        { nodeKey: key.publicKey, poolKey, rail, address, previous, slot },
        key,
      );
      const request = create(SetPayoutAddressRequestSchema, { statement });
      return connection.call(Registry.method.setPayoutAddress, request, { timeoutMs: CALL_MS });
    });
  }

  /** Leaves the pool: what is owed stays payable, the key stays here. */
  async leave(): Promise<Membership> {
    const { keeping } = this.#parts;
    const membership = keeping.membership();
    requireOwnMachine(this.#parts);
    await withLink(this.#parts, ({ connection }) =>
      connection.call(Registry.method.deregisterNode, create(DeregisterNodeRequestSchema), {
        timeoutMs: CALL_MS,
      }),
    );
    keeping.forgetPool();
    return membership;
  }

  /** Announces that this node will be away on purpose: the next heartbeats say so. */
  announceMaintenance(forMs: number): number {
    const untilMs = forMs > 0 ? this.#parts.clock.now() + forMs : 0;
    this.#parts.keeping.membership();
    this.#parts.keeping.announceMaintenance(untilMs);
    return untilMs;
  }

  membership(): Membership {
    return this.#parts.keeping.membership();
  }

  /** What this node has seen of the pool's audit log. */
  witnessed(): WitnessView {
    return new Witness(this.#parts, this.#log).view();
  }

  runState(): RunState | undefined {
    return this.#parts.keeping.runState();
  }
}

/** How long until the pool takes another statement, when that is all it refuses for. */
function secondsToNextStatement(error: unknown): number | undefined {
  const isSlotUsed = isRefusal(error) && error.code === "payout.statement_slot_used";
  return isSlotUsed ? error.details.retryAfterSeconds : undefined;
}
