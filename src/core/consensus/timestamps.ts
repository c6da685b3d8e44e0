import type { Replica } from "./state.ts";
import type { Header, Ms } from "./types.ts";
import type { Verdict } from "./verdict.ts";

/** When a block says it was made (§10.5). Time never decides about locks or views. */

/**
 * The end of the year 9999. Who has no clock knows that it is not later: a block dated at the end of
 * all numbers would leave none for the next one, whose date has to be higher.
 */
const TIME_MAX = 253_402_300_799_999;

/** The time of a block of mine: now, but after its parent. */
export function timestampFor({ now }: Replica, parent: Header): Ms {
  return Math.max(parent.timestampMs + 1, Math.floor(now));
}

/**
 * Judges the time of a proposal that I might vote for now. Who has no clock to believe skips what is
 * about now; a parent's time plus one always passes, or one bad block would stop the chain.
 */
export function judgeTimestamp(replica: Replica, header: Header, parent: Header): Verdict {
  const { config, now, isClockHealthy } = replica;
  const { timestampMs } = header;
  if (timestampMs <= parent.timestampMs) return "refuse";
  if (timestampMs === parent.timestampMs + 1) return "vote";
  if (timestampMs > TIME_MAX) return "refuse";
  if (!isClockHealthy) return "vote";
  if (timestampMs < now - config.stalenessMs) return "refuse";
  const heldUntil = timestampMs - config.driftMsMax;
  if (heldUntil <= now) return "vote";
  replica.heldUntil = heldUntil;
  return "wait";
}
