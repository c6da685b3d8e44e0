import { defineModule } from "@/kernel/module.ts";
import type { Clock } from "@/ports/clock.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    clock: Clock;
  }
}

/** `setTimeout` takes no longer wait; a longer one is cut into pieces of this. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

/** The host's clock. Its timers keep the process alive until they are cancelled. */
export function systemClock(): Clock {
  return {
    now: () => Date.now(),
    monotonic: () => performance.now(),
    after: (ms, callback) => after(ms, callback),
    every(ms, callback) {
      const timer = setInterval(callback, ms);
      return () => clearInterval(timer);
    },
  };
}

function after(ms: number, callback: () => void): () => void {
  const wait = Math.min(ms, TIMEOUT_MS_MAX);
  let cancel = () => {};
  const timer = setTimeout(() => {
    if (ms > wait) cancel = after(ms - wait, callback);
    else callback();
  }, wait);
  cancel = () => clearTimeout(timer);
  return () => cancel();
}

/** Provides the clock of the host. */
export const clock = defineModule({
  name: "clock",
  needs: [],
  provides: "clock",
  start: () => systemClock(),
});
