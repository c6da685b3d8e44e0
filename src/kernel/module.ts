import { type Static, type TObject, Type } from "@sinclair/typebox";
import type { Logger } from "pino";
import type { Events } from "./events.ts";

/**
 * Every service by name: the container, as a type. A module merges what it provides into it
 * (`declare module "@/kernel/module.ts" { interface Services { registry: Registry } }`).
 */
export interface Services {
  events: Events;
}

/** The name of a service. */
export type ServiceName = keyof Services;

/** What a module is handed besides the services it needs. */
export interface ModuleContext<Config> {
  readonly config: Config;
  readonly log: Logger;
  /** What to undo at the stop; the last deferred is undone first. */
  defer(undo: () => void | Promise<void>): void;
  /** What to do once every module has started: open doors, begin timers. */
  ready(open: () => void | Promise<void>): void;
  /** Called with the new configuration when keys marked `live` changed. */
  reloaded(apply: (config: Config) => void): void;
  /** Reports a fault of our own that must end the process. */
  fatal(fault: unknown): void;
}

/** A module with its types forgotten: what the kernel keeps in its list. */
export interface AnyModule {
  readonly name: string;
  readonly needs: readonly ServiceName[];
  readonly provides?: ServiceName;
  /** The public name of its configuration section; its own name when unstated. */
  readonly section?: string;
  readonly schema?: TObject;
  check?(config: never, value: (path: string) => unknown): void;
  start(services: Services, context: ModuleContext<never>): unknown;
}

/** What an author writes. Defaults, limits and help stand in the schema (TypeBox). */
export interface ModuleDefinition<
  Need extends ServiceName,
  Provided extends ServiceName,
  Schema extends TObject,
> {
  readonly name: string;
  readonly needs: readonly Need[];
  readonly provides?: Provided;
  readonly section?: string;
  readonly config?: (t: typeof Type) => Schema;
  /** Refuses what no schema can say: values that do not fit together, or with this build. Pure. */
  check?(config: Static<Schema>, value: (path: string) => unknown): void;
  /** Wires; nothing listens before `ready`. Answers the service it provides. */
  start(
    services: Pick<Services, Need>,
    context: ModuleContext<Static<Schema>>,
  ): Started<Provided> | Promise<Started<Provided>>;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a module that provides nothing answers nothing.
type Started<Provided extends ServiceName> = [Provided] extends [never] ? void : Services[Provided];

/** Turns what an author writes into a module; it only infers types. */
export function defineModule<
  Need extends ServiceName = never,
  Provided extends ServiceName = never,
  Schema extends TObject = TObject,
>(definition: ModuleDefinition<Need, Provided, Schema>): AnyModule {
  const { config, ...rest } = definition;
  const schema = config?.(Type);
  const module = schema ? { ...rest, schema } : rest;
  return module as unknown as AnyModule;
}
