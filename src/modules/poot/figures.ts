import { SLOT_STATES, type SlotState, type SlotStates } from "@/core/poot/slot-state.ts";
import type { Metrics } from "@/ports/metrics.ts";
import type { PootState } from "./parts.ts";

/** What the module counts for Prometheus. */
export interface Figures {
  heartbeat(outcome: string, seconds: number): void;
  slots(slots: SlotStates): void;
  recovered(slots: number): void;
  credited(ticks: number): void;
  closed(seconds: number): void;
  leftOut(nodes: number): void;
}

const HEARTBEAT_BUCKETS = [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1];
const CLOSE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5];

/** The figures of heartbeats and closes. */
export function createFigures(metrics: Metrics): Figures {
  const outcomes = metrics.counter("galaxy_heartbeats_total", "Heartbeats by answer.", ["outcome"]);
  const latency = metrics.histogram(
    "galaxy_heartbeat_seconds",
    "Time to judge a heartbeat.",
    HEARTBEAT_BUCKETS,
  );
  const slots = metrics.counter("galaxy_slots_total", "Slots of nodes by state, as closed.", [
    "state",
  ]);
  const recovered = metrics.counter(
    "galaxy_slots_recovered_total",
    "Unobserved slots that receipts have shown to be up.",
    [],
  );
  const ticks = metrics.counter("galaxy_ticks_credited_total", "Ticks credited by closes.", []);
  const closing = metrics.histogram(
    "galaxy_interval_close_seconds",
    "Time to close one interval of one pool.",
    CLOSE_BUCKETS,
  );
  const leftOut = metrics.counter(
    "galaxy_nodes_left_out_total",
    "Nodes whose rows could not be booked by a close.",
    [],
  );
  return {
    heartbeat(outcome, seconds) {
      outcomes({ outcome });
      latency(seconds);
    },
    slots({ states }) {
      for (const state of SLOT_STATES) countOf(states, state, slots);
    },
    recovered: (count) => recovered({}, count),
    credited: (count) => ticks({}, count),
    closed: closing,
    leftOut: (count) => leftOut({}, count),
  };
}

function countOf(
  states: readonly SlotState[],
  state: SlotState,
  add: (labels: { readonly state: SlotState }, by: number) => void,
): void {
  const count = states.filter((other) => other === state).length;
  if (count > 0) add({ state }, count);
}

/** Figures that are read when somebody asks. */
export function showState(metrics: Metrics, { pools, poolClock }: PootState): void {
  metrics.gauge("galaxy_sessions", "Sessions in memory.", [], () => {
    let sessions = 0;
    for (const { presence } of pools.values()) {
      for (const node of presence.nodes.values()) sessions += node.sessions.length;
    }
    return [{ value: sessions }];
  });
  metrics.gauge("galaxy_pool_time_trusted", "1 while the pool's clock is believed.", [], () => [
    { value: poolClock.time.waiting === undefined ? 1 : 0 },
  ]);
}
