import { create } from "@bufbuild/protobuf";
import { learnPoolTime, type NodeClock } from "@/core/poot/node-clock.ts";
import type { NodeIdentity } from "@/core/poot/node-session.ts";
import type { Logger } from "@/kernel/log.ts";
import type { Stream } from "@/ports/dialer.ts";
import {
  GetStandingRequestSchema,
  type HeartbeatReply,
  RegisterNodeRequestSchema,
  Registry,
} from "@/proto/registry_pb.ts";
import { PoolError } from "@/std/errors.ts";
import { Heartbeats, heartbeatRequest } from "./heartbeats.ts";
import { type Link, type LinkParts, openLink } from "./link.ts";
import { isExpired, renew, renewExpired } from "./renewing.ts";

const CALL_MS = 10_000;
const ANSWER_MAX_MS = 5_000;
const RETRY_MIN_MS = 100;
const SKEW_WARN_MS = 30_000;
const GONE = new Set(["left", "removed"]);

/** Why the node stopped by itself. */
export type Ending = "stopped" | "left";

/**
 * Keeps one node alive at its pool: one long stream, a heartbeat a slot, retries inside the slot,
 * several addresses, reconnects with jitter, certificates renewed in time.
 */
export class Running {
  readonly #parts: LinkParts;
  readonly #log: Logger;
  readonly #stop = new AbortController();
  #heartbeats: Heartbeats | undefined;
  #turn = 0;
  #skewWarned = false;

  constructor(parts: LinkParts, log: Logger) {
    this.#parts = parts;
    this.#log = log;
  }

  /** Runs until `stop` or until the node has left its pool. */
  async run(): Promise<Ending> {
    let waitMs = RETRY_MIN_MS;
    while (!this.#stop.signal.aborted) {
      const connectedMs = this.#parts.clock.monotonic();
      try {
        if ((await this.#connected()) === "left") return this.#end("left");
      } catch (error) {
        if (this.#hasLeft()) return "left";
        this.#failed(error);
      }
      const lasted = this.#parts.clock.monotonic() - connectedMs;
      const mostMs = this.#retryMaxMs();
      waitMs = lasted > mostMs ? RETRY_MIN_MS : Math.min(mostMs, waitMs * 2);
      await this.#sleep(waitMs * (0.5 + this.#parts.random.fraction() / 2));
    }
    return this.#end("stopped");
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
    if (this.#hasLeft()) return "left";
    this.#heartbeats?.remember();
    this.#tellState(false, "", ending === "left" ? "the node has left its pool" : "");
    return ending;
  }

  /** One connection, from its opening to its failure. */
  async #connected(): Promise<Ending> {
    const address = await this.#nextAddress();
    const link = await openLink(this.#parts, address);
    try {
      await this.#register(link);
      const heartbeats = this.#heartbeatsOver(link);
      this.#tellState(true, address, "");
      this.#log.info({ address }, "connected to the pool");
      return await this.#beatOver(link, heartbeats);
    } finally {
      link.connection.close();
    }
  }

  /** The next address in turn; a certificate that has expired is renewed on the way. */
  async #nextAddress(): Promise<string> {
    const { keeping, certificates, clock } = this.#parts;
    const { addresses } = keeping.membership();
    const address = addresses[this.#turn++ % addresses.length] ?? "";
    const { notAfterMs } = certificates.read(keeping.certificatePem());
    if (isExpired(keeping, notAfterMs, clock.now())) {
      await renewExpired(this.#parts, address);
      this.#log.info({ address }, "the expired certificate was renewed");
    }
    return address;
  }

  async #register({ connection }: Link): Promise<void> {
    const { name, specialization, endpoint, org, metadata } = this.#parts.keeping.membership();
    const request = create(RegisterNodeRequestSchema, {
      name,
      specialization,
      endpoint,
      org,
      metadata,
    });
    await connection.call(Registry.method.registerNode, request, { timeoutMs: CALL_MS });
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
    while (!this.#stop.signal.aborted) {
      const { type, nextInMs, message } = await heartbeats.beat((bytes) =>
        stream.ask(heartbeatRequest(bytes), this.#answerMs()),
      );
      this.#log.debug({ outcome: type, ...heartbeats.progress() }, "heartbeat answered");
      this.#warnOfSkew(heartbeats);
      if (type === "unknown" && (await this.#isGone(link, message))) return "left";
      if (type !== "accepted" && type !== "proven")
        this.#log.warn({ outcome: type, message }, "heartbeat not accepted");
      await this.#renewWhenDue(link, heartbeats);
      await this.#sleep(
        Math.max(nextInMs, type === "accepted" || type === "proven" ? 1 : RETRY_MIN_MS),
      );
    }
    stream.end();
    return "stopped";
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
      const { poolId } = await renew(this.#parts, link);
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

  async #renewWhenDue(link: Link, heartbeats: Heartbeats): Promise<void> {
    if (heartbeats.poolTimeMs() < this.#parts.keeping.membership().renewAtMs) return;
    await renew(this.#parts, link);
    this.#log.info("the certificate was renewed");
    throw new PoolError(
      "unavailable",
      "node.renewed",
      "The connection is made anew with the new certificate.",
    );
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
    if (error instanceof PoolError && error.code === "node.renewed") return;
    const problem = error instanceof Error ? error.message : String(error);
    this.#tellState(false, "", problem);
    this.#log.warn({ problem }, "not connected to the pool; trying again");
  }

  #tellState(connected: boolean, address: string, problem: string): void {
    const { keeping, clock } = this.#parts;
    const known = keeping.runState();
    const isSame =
      known?.connected === connected && known.address === address && known.problem === problem;
    if (isSame && known.pid === process.pid) return;
    keeping.saveRunState({ pid: process.pid, connected, address, sinceMs: clock.now(), problem });
  }

  #sleep(ms: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    if (this.#stop.signal.aborted) return Promise.resolve();
    const cancel = this.#parts.clock.after(ms, resolve);
    const stopped = (): void => {
      cancel();
      resolve();
    };
    this.#stop.signal.addEventListener("abort", stopped, { once: true });
    return promise.finally(() => this.#stop.signal.removeEventListener("abort", stopped));
  }
}

type HeartbeatStream = Stream<ReturnType<typeof heartbeatRequest>, HeartbeatReply>;

/** One question at a time over a stream; silence or its end fails the question. */
class Asking {
  readonly #stream: HeartbeatStream;
  #waiting: PromiseWithResolvers<HeartbeatReply> | undefined;
  #ended: unknown;

  constructor(stream: HeartbeatStream) {
    this.#stream = stream;
    stream.onMessage((reply) => this.#waiting?.resolve(reply));
    stream.onEnd((error) => {
      this.#ended =
        error ?? new PoolError("unavailable", "pool.unreachable", "The pool ended the stream.");
      this.#waiting?.reject(this.#ended);
    });
  }

  async ask(
    request: Parameters<HeartbeatStream["send"]>[0],
    timeoutMs: number,
  ): Promise<HeartbeatReply> {
    if (this.#ended !== undefined) throw this.#ended;
    const waiting = Promise.withResolvers<HeartbeatReply>();
    this.#waiting = waiting;
    const timer = setTimeout(() => waiting.reject(silent(timeoutMs)), timeoutMs);
    this.#stream.send(request);
    return waiting.promise.finally(() => clearTimeout(timer));
  }

  end(): void {
    this.#stream.end();
  }
}

function silent(timeoutMs: number): PoolError {
  return new PoolError(
    "deadline",
    "pool.silent",
    `The pool did not answer within ${timeoutMs} ms.`,
  );
}
