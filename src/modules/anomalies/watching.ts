import { type ClockLook, clockStep } from "@/core/anomaly/clock-step.ts";
import { signalsOf, spreadSignal } from "@/core/anomaly/signal.ts";
import type { Events } from "@/kernel/events.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Host } from "@/ports/host.ts";
import type { RefusalLog } from "./refusal-log.ts";
import type { Anomalies } from "./service.ts";

/** What is listened to and looked at. */
export interface WatchingParts {
  readonly anomalies: Anomalies;
  readonly refusals: RefusalLog;
  readonly events: Events;
  readonly clock: Clock;
  readonly host: Pick<Host, "isClockSynchronised">;
  readonly clockStepMs: number;
  readonly nodeSkewMs: number;
  /** Told a fault of our own that must end the process. */
  readonly onFatal: (fault: unknown) => void;
}

const LOOK_MS = 5_000;
const FLUSH_MS = 60_000;
/** After the pool's clock was set, nodes are given so long to follow it. */
const STEADY_MS = 600_000;

/** Turns what is told and what the clocks say into signals; the answer ends it. */
export function watch(parts: WatchingParts): () => Promise<void> {
  const { anomalies, refusals, events, clock } = parts;
  const clocks = new ClockWatch(parts);
  const stops = [
    events.on("request.refused", (refused) => {
      refusals.add(refused);
      for (const signal of signalsOf(refused, parts.nodeSkewMs)) {
        if (signal.rule !== "node_clock_skewed" || clocks.isSteady()) anomalies.notice(signal);
      }
    }),
    events.on("caller.seen", ({ caller, address }) => {
      if (address !== "") anomalies.notice(spreadSignal(caller, address));
    }),
    events.on("audit.doubted", () => {
      anomalies.notice({ rule: "audit_inconsistent", subject: "audit" });
    }),
    events.on("node.doubled", ({ node }) => {
      anomalies.notice({ rule: "node_doubled", subject: node });
    }),
    clock.every(LOOK_MS, () => clocks.look()),
    clock.every(FLUSH_MS, () => void flush(parts).catch(parts.onFatal)),
  ];
  return () => {
    for (const stop of stops) stop();
    return flush(parts);
  };
}

async function flush({ anomalies, refusals }: WatchingParts): Promise<void> {
  await refusals.flush();
  await anomalies.flush();
}

/** Looks whether somebody sets the clock while the pool runs. */
class ClockWatch {
  readonly #parts: WatchingParts;
  #before: ClockLook;
  #steppedAtMs: number | undefined;

  constructor(parts: WatchingParts) {
    this.#parts = parts;
    this.#before = this.#reading();
  }

  look(): void {
    const now = this.#reading();
    const stepMs = clockStep(this.#before, now, this.#parts.clockStepMs);
    this.#before = now;
    if (stepMs === undefined) return;
    this.#steppedAtMs = now.monotonicMs;
    const subject = stepMs > 0 ? "forward" : "back";
    this.#parts.anomalies.notice({ rule: "clock_stepped", subject });
  }

  /** Whether the clock was not set lately: else it is not the nodes whose time is wrong. */
  isSteady(): boolean {
    this.look();
    if (this.#steppedAtMs === undefined) return true;
    return this.#before.monotonicMs - this.#steppedAtMs > STEADY_MS;
  }

  #reading(): ClockLook {
    const { clock, host } = this.#parts;
    const isSynchronised = host.isClockSynchronised();
    return { wallMs: clock.now(), monotonicMs: clock.monotonic(), isSynchronised };
  }
}
