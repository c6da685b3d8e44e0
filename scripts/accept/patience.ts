const TELL_EVERY_MS = 15_000;
const LOOK_EVERY_MS = 1_000;

/**
 * An emulated board takes its time, so the limits are generous, and somebody who watches is told every
 * quarter of a minute what is waited for.
 */
export async function patiently<T>(what: string, work: Promise<T>): Promise<T> {
  const startMs = performance.now();
  const telling = setInterval(() => {
    console.log(`      … ${what}: ${Math.round((performance.now() - startMs) / 1000)} s`);
  }, TELL_EVERY_MS);
  try {
    return await work;
  } finally {
    clearInterval(telling);
  }
}

/** Looks until something is found; a look that fails has found nothing. Says at the end what it saw last. */
export function untilSeen<T>(
  what: string,
  look: () => Promise<T | undefined>,
  withinMs: number,
): Promise<T> {
  return patiently(what, looking(what, look, withinMs));
}

async function looking<T>(
  what: string,
  look: () => Promise<T | undefined>,
  withinMs: number,
): Promise<T> {
  const endMs = performance.now() + withinMs;
  for (;;) {
    let problem = "";
    const found = await look().catch((error: unknown) => {
      problem = `: ${error instanceof Error ? error.message : error}`;
      return undefined;
    });
    if (found !== undefined) return found;
    if (performance.now() > endMs)
      throw new Error(`${what}: not within ${withinMs / 1000} s${problem}`);
    await Bun.sleep(LOOK_EVERY_MS);
  }
}
