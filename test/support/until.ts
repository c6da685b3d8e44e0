const LOOK_EVERY_MS = 20;

/**
 * What `look` finds, once it finds something: real processes have a clock of their own, so there is
 * nothing to do but to look again. Throws with `what` was waited for when it takes too long.
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  patienceMs = 15_000,
): Promise<T> {
  const endMs = performance.now() + patienceMs;
  for (;;) {
    const seen = await look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() > endMs) throw new Error(`waited ${patienceMs} ms for ${what}`);
    await Bun.sleep(LOOK_EVERY_MS);
  }
}
