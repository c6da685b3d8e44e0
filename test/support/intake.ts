import { Turnstile, type TurnstileParts } from "@/drivers/intake/turnstile.ts";
import { TestClock } from "./clock.ts";

const LINE = { atOnce: 1, waiting: 2, ageMs: 1_000 };
const RATE = { perSecond: 2, burst: 3 };

/** A turnstile with one place and room for two in each class, three requests at once and two a second. */
export function turnstileWith(parts: Partial<TurnstileParts> = {}) {
  const clock = new TestClock();
  const shed: string[] = [];
  const turnstile = new Turnstile({
    clock,
    random: { bytes: () => new Uint8Array(), fraction: () => 0.5 },
    lines: { heartbeat: LINE, admin: LINE, enrol: LINE, read: LINE, export: LINE },
    rates: { address: RATE, caller: RATE, node: RATE },
    flowsMax: 4,
    countsLoopback: false,
    lagMs: 100,
    onShed: (of, reason) => void shed.push(`${of} ${reason}`),
    ...parts,
  });
  return { clock, turnstile, shed };
}
