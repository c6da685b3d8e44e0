import type { Clock } from "@/ports/clock.ts";
import type { Poot } from "./service.ts";

/** The clock is asked so often within a slot; fewer readings would be taken for a stall. */
const READINGS_PER_SLOT = 20;
const TEND_EVERY_MS = 6 * 3_600_000;
/** For boards that never run that long. */
const TEND_FIRST_MS = 600_000;

/**
 * Asks the clock often, closes intervals as they end, and tends what is kept. The answer ends all
 * that and closes what is complete; a fault of our own is reported to `fatal`.
 */
export function runPoot(
  poot: Poot,
  clock: Clock,
  fatal: (fault: unknown) => void,
): () => Promise<void> {
  const { slotSeconds } = poot.poolTime();
  const endTicks = clock.every((slotSeconds * 1000) / READINGS_PER_SLOT, () => {
    if (poot.tick()) poot.closeDue().catch(fatal);
  });
  const tend = () => void poot.tend().catch(fatal);
  const endFirst = clock.after(TEND_FIRST_MS, tend);
  const endTending = clock.every(TEND_EVERY_MS, tend);
  return async () => {
    endTicks();
    endFirst();
    endTending();
    await poot.flush();
  };
}
