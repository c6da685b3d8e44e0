import type { Type as TypeBuilder } from "@sinclair/typebox";
import { defineModule } from "@/kernel/module.ts";
import type { Intake } from "@/ports/intake.ts";
import type { Metrics } from "@/ports/metrics.ts";
import { groupLimitBytes, levelOf } from "./pressure.ts";
import { Turnstile } from "./turnstile.ts";
import type { LineTerms } from "./waiting-line.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    intake: Intake;
  }
}

const FLOWS_MAX = 10_000;
const LOOK_EVERY_MS = 500;
const MEGABYTE = 1_048_576;

/** One class in the configuration. */
function lineOf(t: typeof TypeBuilder, what: string, { atOnce, waiting, ageMs }: LineTerms) {
  return t.Object({
    at_once: t.Integer({
      default: atOnce,
      minimum: 1,
      maximum: 100_000,
      description: `How many ${what} are worked on at once.`,
    }),
    waiting: t.Integer({
      default: waiting,
      minimum: 0,
      maximum: 100_000,
      description: `How many more ${what} may wait; beyond that they are shed.`,
    }),
    age_ms: t.Integer({
      default: ageMs,
      minimum: 10,
      maximum: 60_000,
      description: `How long ${what} may wait; a tenth of it while the line never gets empty.`,
    }),
  });
}

/** Provides `intake`: what is worked on when there is too much to do. */
export const intake = defineModule({
  name: "intake",
  needs: ["clock", "random", "metrics"],
  provides: "intake",
  section: "limits",
  config: (t) =>
    t.Object({
      address_per_second: rateKey(t, 100, "Requests a second from one address (IPv6: one /64)"),
      address_burst: rateKey(t, 1_000, "Requests at once from one address"),
      caller_per_second: rateKey(t, 50, "Requests a second of one user or API key"),
      caller_burst: rateKey(t, 500, "Requests at once of one user or API key"),
      node_per_second: rateKey(t, 20, "Calls a second of one node"),
      node_burst: rateKey(t, 200, "Calls at once of one node"),
      loopback: t.Boolean({
        default: false,
        description: "Whether these rates also bind callers on this machine.",
      }),
      lag_ms: t.Integer({
        default: 2_000,
        minimum: 50,
        maximum: 60_000,
        description: "A turn of work longer than this sheds reads and exports for a second.",
      }),
      memory_mb: t.Integer({
        default: 0,
        minimum: 0,
        maximum: 1_048_576,
        description:
          "Resident memory: at 95 % of it reads are shed, at 98 % all that is new; 0 is what the system allows.",
      }),
      heartbeat: lineOf(t, "heartbeats", { atOnce: 1_024, waiting: 4_096, ageMs: 5_000 }),
      admin: lineOf(t, "changes", { atOnce: 256, waiting: 512, ageMs: 5_000 }),
      enrol: lineOf(t, "enrolments and logins", { atOnce: 256, waiting: 512, ageMs: 5_000 }),
      read: lineOf(t, "reads", { atOnce: 128, waiting: 512, ageMs: 2_000 }),
      export: lineOf(t, "statements and exports", { atOnce: 4, waiting: 32, ageMs: 5_000 }),
    }),
  start({ clock, random, metrics }, { config, log, ready, defer }) {
    const shed = metrics.counter(
      "galaxy_shed_total",
      "Requests that were refused because there were too many.",
      ["class", "reason"],
    );
    const turnstile = new Turnstile({
      clock,
      random,
      rates: {
        address: { perSecond: config.address_per_second, burst: config.address_burst },
        caller: { perSecond: config.caller_per_second, burst: config.caller_burst },
        node: { perSecond: config.node_per_second, burst: config.node_burst },
      },
      flowsMax: FLOWS_MAX,
      countsLoopback: config.loopback,
      lagMs: config.lag_ms,
      lines: {
        heartbeat: termsOf(config.heartbeat),
        admin: termsOf(config.admin),
        enrol: termsOf(config.enrol),
        read: termsOf(config.read),
        export: termsOf(config.export),
      },
      onShed: (of, reason) => shed({ class: of, reason }),
    });
    showFigures(turnstile, metrics, () => clock.monotonic());
    const limitBytes = config.memory_mb === 0 ? groupLimitBytes() : config.memory_mb * MEGABYTE;
    if (limitBytes === Number.POSITIVE_INFINITY) return turnstile;
    const memory = { resident: () => process.memoryUsage.rss(), limitBytes };
    let before = levelOf(memory);
    const look = (): void => {
      const level = levelOf(memory);
      turnstile.press(level);
      if (level === before) return;
      before = level;
      log.warn({ level, limitBytes }, "memory is watched: the level changed");
      if (level !== "calm") Bun.gc(true);
    };
    ready(() => defer(clock.every(LOOK_EVERY_MS, look)));
    return turnstile;
  },
});

function rateKey(t: typeof TypeBuilder, usual: number, description: string) {
  return t.Integer({
    default: usual,
    minimum: 1,
    maximum: 1_000_000,
    description: `${description}; more is refused with 429.`,
  });
}

function termsOf(line: {
  readonly at_once: number;
  readonly waiting: number;
  readonly age_ms: number;
}): LineTerms {
  return { atOnce: line.at_once, waiting: line.waiting, ageMs: line.age_ms };
}

function showFigures(turnstile: Turnstile, metrics: Metrics, nowMs: () => number): void {
  const each = (read: (one: ReturnType<Turnstile["lines"]>[number]["line"]) => number) => () =>
    turnstile.lines().map(({ of, line }) => ({ value: read(line), labels: { class: of } }));
  metrics.gauge(
    "galaxy_requests_waiting",
    "Requests that wait for a place.",
    ["class"],
    each((line) => line.waiting),
  );
  metrics.gauge(
    "galaxy_requests_at_work",
    "Requests that are worked on.",
    ["class"],
    each((line) => line.atWork),
  );
  metrics.gauge(
    "galaxy_requests_waiting_seconds",
    "How long the first of each class has waited.",
    ["class"],
    each((line) => line.ageMs(nowMs()) / 1000),
  );
  metrics.gauge("galaxy_turn_seconds", "How long the last turn of work took.", [], () => [
    { value: turnstile.lagMs / 1000 },
  ]);
}
