import type { Logger } from "pino";

/**
 * Every event by name, with what it tells. Modules merge theirs into it
 * (`declare module "@/kernel/events.ts" { interface EventMap { "node.left": { node: NodeId } } }`).
 */
export interface EventMap {
  "kernel.ready": { modules: number };
}

/** The name of an event; always in the past tense. */
export type EventName = keyof EventMap;

/**
 * Events tell, they never decide: they are told after the commit, and a listener may fail or be
 * absent without any state being wrong.
 */
export class Events {
  readonly #listeners = new Map<EventName, Set<(told: never) => void>>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
  }

  /** Listens; the answer ends it. */
  on<Name extends EventName>(name: Name, listener: (told: EventMap[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** Tells everybody who listens; a listener that throws is logged and the rest still hear it. */
  tell<Name extends EventName>(name: Name, told: EventMap[Name]): void {
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        (listener as (told: EventMap[Name]) => void)(told);
      } catch (error) {
        this.#log.error({ event: name, err: error }, "an event listener failed");
      }
    }
  }
}
