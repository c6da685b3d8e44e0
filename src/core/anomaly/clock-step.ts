/** Both clocks of a machine at one moment, and whether the kernel calls its time synchronised. */
export interface ClockLook {
  readonly wallMs: number;
  readonly monotonicMs: number;
  /** Null when the kernel does not say. */
  readonly isSynchronised: boolean | null;
}

/**
 * By how much the wall clock was set between two looks; undefined where that is nothing to speak of.
 * A board without a battery clock finds out the time once, soon after it starts: the step by which
 * it becomes synchronised is honest.
 */
export function clockStep(before: ClockLook, now: ClockLook, leastMs: number): number | undefined {
  const stepMs = now.wallMs - before.wallMs - (now.monotonicMs - before.monotonicMs);
  if (Math.abs(stepMs) < leastMs) return undefined;
  const isFirstTime = before.isSynchronised === false && now.isSynchronised === true;
  return isFirstTime ? undefined : stepMs;
}
