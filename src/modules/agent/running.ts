import { create } from "@bufbuild/protobuf";
import { learnPoolTime, type NodeClock } from "@/core/poot/node-clock.ts";
import type { NodeIdentity } from "@/core/poot/node-session.ts";
import type { Logger } from "@/kernel/log.ts";
import {
  GetStandingRequestSchema,
  RegisterNodeRequestSchema,
  Registry,
} from "@/proto/registry_pb.ts";
import { isRefusal, PoolError } from "@/std/errors.ts";
import { Asking } from "./asking.ts";
import { Heartbeats, heartbeatRequest } from "./heartbeats.ts";
import type { RunState } from "./keeping.ts";
import { type Link, type LinkParts, openLink } from "./link.ts";
import { renew } from "./renewing.ts";
import { Successor, textOf } from "./successor.ts";
import { Witness } from "./witness.ts";

const CALL_MS = 10_000;
const ANSWER_MAX_MS = 5_000;
const RETRY_MIN_MS = 100;
const SKEW_WARN_MS = 30_000;
const GONE = new Set(["left", "removed"]);
/** Connecting, introducing and renewing take less, whatever does not answer. */
const STILL_MAX_MS = 120_000;

/** Why the node stopped. */
export type Ending = "stopped" | "left" | "removed";

/**
 * Keeps one node alive at its pool: one long stream, a heartbeat a slot, retries inside the slot,
 * several addresses, reconnects with jitter, certificates renewed in time. Where it wants another
 * connection it opens that one first, and then leaves the one it has.
 */
export class Running {
  readonly #parts: LinkParts;
  readonly #log: Logger;
  readonly #told: (state: RunState) => void;
  readonly #stop = new AbortController();
  readonly #witness: Witness;
  readonly #successor: Successor;
  #heartbeats: Heartbeats | undefined;
  #turn = 0;
  /** Whether the newest connection carried an answer: then the same address is tried first. */
  #wasAnswered = false;
  #skewWarned = false;
  #keptWarned = false;
  #problem = "";
  /** When it last came to a point where it decides what to do next. */
  #movedMs = 0;
  #isToReconnect = false;
  /** Open already, and the connection to go on with. */
  #next: Link | undefined;
  #wake = (): void => {};

  constructor(parts: LinkParts, log: Logger, told: (state: RunState) => void = () => {}) {
    this.#parts = parts;
    this.#log = log;
    this.#told = told;
    this.#witness = new Witness(parts, log);
    this.#successor = new Successor(parts, log, () => this.reconnect());
    this.#movedMs = parts.clock.monotonic();
  }

  /** Runs until `stop`, or until the node has left its pool or was removed from it. */
  async run(): Promise<Ending> {
    let waitMs = RETRY_MIN_MS;
    while (!this.#stop.signal.aborted) {
      const connectedMs = this.#parts.clock.monotonic();
      const ending = await this.#tried();
      if (ending) return this.#end(ending);
      if (this.#next) continue;
      if (!this.#wasAnswered) this.#turn++;
      const lasted = this.#parts.clock.monotonic() - connectedMs;
      const mostMs = this.#retryMaxMs();
      waitMs = lasted > mostMs ? RETRY_MIN_MS : Math.min(mostMs, waitMs * 2);
      await this.#sleep(waitMs * (0.5 + this.#parts.random.fraction() / 2));
    }
    return this.#end("stopped");
  }

  /** Two slots and the time-outs of a connection are the longest way to the next decision. */
  isMoving(): boolean {
    const sinceMs = this.#parts.clock.monotonic() - this.#movedMs;
    const slotSeconds = this.#parts.keeping.findMembership()?.slotSeconds ?? 0;
    return sinceMs < STILL_MAX_MS + slotSeconds * 2_000;
  }

  /** Makes a new connection as soon as what is under way is over. */
  reconnect(): void {
    this.#isToReconnect = true;
    this.#wake();
  }

  /** One connection; answers an ending that is for good. */
  async #tried(): Promise<Ending | undefined> {
    try {
      return await this.#connected();
    } catch (error) {
      if (this.#hasLeft()) return "left";
      if (isRefusal(error) && error.code === "node.removed") return "removed";
      this.#failed(error);
      return undefined;
    }
  }

  /** Stops after what is under way; what a restart needs is kept. */
  stop(): void {
    this.#stop.abort();
  }

  /** `node leave` takes the membership out of the folder; there is nothing left to run. */
  #hasLeft(): boolean {
    return this.#parts.keeping.findMembership() === undefined;
  }

  /** A quarter of a slot: a pool that comes back finds its nodes before the slot ends. */
  #retryMaxMs(): number {
    return this.#parts.keeping.membership().slotSeconds * 250;
  }

  #end(ending: Ending): Ending {
    this.#next?.connection.close();
    if (this.#hasLeft()) return "left";
    this.#keep(() => this.#heartbeats?.remember());
    this.#tellState(false, "", ending === "stopped" ? "" : `this node was ${ending}`);
    return ending;
  }

  /** One connection, from its opening to its failure. */
  async #connected(): Promise<Ending> {
    this.#wasAnswered = false;
    this.#isToReconnect = false;
    const link = await this.#opened();
    if (!link) return "stopped";
    const { address } = link;
    try {
      await this.#introduce(link);
      const heartbeats = this.#heartbeatsOver(link);
      this.#tellState(true, address, "");
      this.#problem = "";
      this.#log.info({ address }, "connected to the pool");
      return await this.#beatOver(link, heartbeats);
    } finally {
      link.connection.close();
    }
  }

  async #opened(): Promise<Link | undefined> {
    const next = this.#next;
    this.#next = undefined;
    return next ?? this.#unlessStopped(openLink(this.#parts, this.#address()));
  }

  /** The link once it is open; undefined when told to stop before, and then it is closed later. */
  async #unlessStopped(opening: Promise<Link>): Promise<Link | undefined> {
    const { promise: stopped, resolve } = Promise.withResolvers<undefined>();
    const { signal } = this.#stop;
    const stop = (): void => resolve(undefined);
    signal.addEventListener("abort", stop, { once: true });
    const link = await Promise.race([opening, stopped]);
    signal.removeEventListener("abort", stop);
    if (!link)
      opening.then(
        (late) => late.connection.close(),
        () => {},
      );
    return link;
  }

  #address(): string {
    const { addresses } = this.#parts.keeping.membership();
    return addresses[this.#turn % addresses.length] ?? "";
  }

  /** What joining may not have come to say any more. */
  async #introduce({ connection }: Link): Promise<void> {
    const { keeping } = this.#parts;
    const membership = keeping.membership();
    if (membership.isIntroduced) return;
    const { name, specialization, endpoint, org, metadata } = membership;
    const request = create(RegisterNodeRequestSchema, {
      name,
      specialization,
      endpoint,
      org,
      metadata,
    });
    await connection.call(Registry.method.registerNode, request, { timeoutMs: CALL_MS });
    keeping.saveMembership({ ...membership, isIntroduced: true });
  }

  #heartbeatsOver(link: Link): Heartbeats {
    const { keeping, clock } = this.#parts;
    const time = this.#timeOf(link);
    const who = this.#identity();
    if (this.#heartbeats) this.#heartbeats.refresh(who, time);
    else this.#heartbeats = new Heartbeats(keeping, clock, who, time);
    return this.#heartbeats;
  }

  #timeOf({ poolTimeMs, sentMs, receivedMs }: Link): NodeClock {
    const { slotSeconds } = this.#parts.keeping.membership();
    return learnPoolTime({ poolTimeMs, slotSeconds, sentMs, receivedMs });
  }

  #identity(): NodeIdentity {
    const { keeping } = this.#parts;
    const { poolKey, slotSeconds } = keeping.membership();
    return { key: keeping.key(), poolKey, slotSeconds, isExclusive: false };
  }

  /** Heartbeat after heartbeat, each when the pool said to come; an unanswered one ends the connection. */
  async #beatOver(link: Link, heartbeats: Heartbeats): Promise<Ending> {
    const stream = new Asking(link.connection.stream(Registry.method.heartbeatStream));
    this.#witness.introduce();
    try {
      return await this.#beatUntilStopped(link, heartbeats, stream);
    } finally {
      this.#next = this.#successor.take();
      this.#successor.passOver();
      stream.cancel();
    }
  }

  async #beatUntilStopped(link: Link, heartbeats: Heartbeats, stream: Asking): Promise<Ending> {
    while (!this.#stop.signal.aborted) {
      this.#moved();
      const { type, nextInMs, message, hasNewRoot } = await heartbeats.beat((bytes) =>
        this.#witness.withBeat(heartbeatRequest(bytes), (request) =>
          stream.ask(request, this.#answerMs()),
        ),
      );
      this.#wasAnswered = true;
      this.#keep(() => heartbeats.rememberAck());
      this.#log.debug({ outcome: type, ...heartbeats.progress() }, "heartbeat answered");
      this.#warnOfSkew(heartbeats);
      if (type === "unknown" && (await this.#isGone(link, message))) return "left";
      const isFine = type === "accepted" || type === "proven";
      if (!isFine) this.#log.warn({ outcome: type, message }, "heartbeat not accepted");
      this.#successor.consider({ link, poolTimeMs: heartbeats.poolTimeMs(), hasNewRoot });
      await this.#sleep(Math.max(nextInMs, isFine ? 1 : RETRY_MIN_MS));
      this.#requireConnectionIsWanted();
    }
    return "stopped";
  }

  #requireConnectionIsWanted(): void {
    if (this.#isToReconnect) throw madeAnew("Another connection is wanted, or there already.");
  }

  /** A quarter of a slot, so that there is time for another try inside it. */
  #answerMs(): number {
    const { slotSeconds } = this.#parts.keeping.membership();
    return Math.min(ANSWER_MAX_MS, (slotSeconds * 1000) / 4);
  }

  /** `unknown` says that this node left, was suspended, or was moved to another pool: renewing tells which. */
  async #isGone(link: Link, message: string): Promise<boolean> {
    const request = create(GetStandingRequestSchema);
    const standing = await link.connection.call(Registry.method.getStanding, request, {
      timeoutMs: CALL_MS,
    });
    if (GONE.has(standing.state)) return true;
    if (standing.poolId !== this.#parts.keeping.membership().poolId) {
      const { poolId } = await renew(this.#parts, link.connection);
      this.#heartbeatsOver(link);
      this.#log.info({ pool: poolId }, "this node was moved to another pool");
      return false;
    }
    this.#log.warn(
      { state: standing.state, message },
      "the pool does not take heartbeats of this node",
    );
    return false;
  }

  #warnOfSkew(heartbeats: Heartbeats): void {
    const isOff = Math.abs(heartbeats.skewMs()) > SKEW_WARN_MS;
    if (isOff && !this.#skewWarned) {
      this.#log.warn(
        { skewMs: heartbeats.skewMs() },
        "this machine's clock differs from the pool's; nothing is lost",
      );
    }
    this.#skewWarned = isOff;
  }

  #failed(error: unknown): void {
    if (isRefusal(error) && error.code === "node.renewed") return;
    const problem = textOf(error);
    this.#tellState(false, "", problem);
    const level = problem === this.#problem ? "debug" : "warn";
    this.#problem = problem;
    this.#log[level]({ problem }, "not connected to the pool; trying again");
  }

  /** A disk that is full costs a node what it keeps for a restart, and no slot. */
  #keep(write: () => void): void {
    try {
      write();
      this.#keptWarned = false;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (!this.#keptWarned) this.#log.warn({ problem: error.message }, "nothing can be kept");
      this.#keptWarned = true;
    }
  }

  #tellState(connected: boolean, address: string, problem: string): void {
    const { keeping, clock } = this.#parts;
    const state = { pid: process.pid, connected, address, sinceMs: clock.now(), problem };
    this.#told(state);
    this.#keep(() => {
      if (!isSameState(keeping.runState(), state)) keeping.saveRunState(state);
    });
  }

  #moved(): void {
    this.#movedMs = this.#parts.clock.monotonic();
  }

  #sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#stop.signal.aborted || this.#isToReconnect) return Promise.resolve();
    this.#moved();
    const cancel = this.#parts.clock.after(ms, resolve);
    const stopped = (): void => {
      cancel();
      resolve();
    };
    this.#wake = stopped;
    this.#stop.signal.addEventListener("abort", stopped, { once: true });
    return promise.finally(() => this.#stop.signal.removeEventListener("abort", stopped));
  }
}

/** Ends a connection that is as it should be, because another one is wanted. */
function madeAnew(why: string): PoolError {
  return new PoolError("unavailable", "node.renewed", why);
}

function isSameState(known: RunState | undefined, said: RunState): boolean {
  const { pid, connected, address, problem } = said;
  return (
    known?.pid === pid &&
    known.connected === connected &&
    known.address === address &&
    known.problem === problem
  );
}
