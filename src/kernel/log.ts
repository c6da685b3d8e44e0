import type { Logger as PinoLogger } from "pino";

/** Where a module says what an operator would tell a colleague: an object of facts, then a sentence. */
export type Logger = PinoLogger;
