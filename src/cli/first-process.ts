import { constants } from "node:os";

/**
 * Process 1, as in a container, is sent no signal that it does not listen for. So this is imported
 * before all else: a stop that is asked for while the program still reads itself is heard, and ends
 * whatever runs and has no end of its own.
 */
if (process.pid === 1) {
  for (const signal of ["SIGTERM", "SIGINT"] as const) {
    process.on(signal, () => {
      if (process.listenerCount(signal) === 1) process.exit(128 + constants.signals[signal]);
    });
  }
}
