import type { Logger } from "pino";
import { AssertionError, assert } from "@/std/assert.ts";
import { PoolError } from "@/std/errors.ts";
import { type ConfigKey, type Configuration, changedKeys, withLiveKeys } from "./config.ts";
import { Events } from "./events.ts";
import type { AnyModule, ModuleContext, ServiceName, Services } from "./module.ts";

type Step = () => void | Promise<void>;

interface Started {
  readonly module: AnyModule;
  readonly reloads: ((config: never) => void)[];
}

/** Asks every module whether it can work with its section, before anything starts; one refuses. */
export function checkSections(modules: readonly AnyModule[], configuration: Configuration): void {
  for (const module of modules)
    module.check?.(configuration.section(sectionOf(module)) as never, configuration.value);
}

/** What the kernel is told at the start. */
export interface KernelOptions {
  readonly log: Logger;
  readonly configuration: Configuration;
  /** Called once with a fault that must end the process. */
  readonly onFatal?: (fault: unknown) => void;
}

/** Starts modules in the order of their needs, and stops them in the reverse one. */
export class Kernel {
  readonly #log: Logger;
  readonly #onFatal: (fault: unknown) => void;
  readonly #services = new Map<ServiceName, unknown>();
  readonly #undos: { readonly name: string; readonly undo: Step }[] = [];
  readonly #opens: Step[] = [];
  readonly #started: Started[] = [];
  readonly #logs: Logger[] = [];
  #configuration: Configuration;

  private constructor(options: KernelOptions) {
    this.#log = options.log;
    this.#onFatal = options.onFatal ?? (() => {});
    this.#configuration = options.configuration;
    this.#services.set("events", new Events(options.log));
  }

  /** Starts all modules, then opens their doors. A failed start stops what had started and throws. */
  static async start(modules: readonly AnyModule[], options: KernelOptions): Promise<Kernel> {
    checkSections(modules, options.configuration);
    const kernel = new Kernel(options);
    try {
      for (const module of inOrder(modules)) await kernel.#start(module);
      for (const open of kernel.#opens) await open();
    } catch (error) {
      await kernel.stop();
      throw error;
    }
    kernel.service("events").tell("kernel.ready", { modules: modules.length });
    return kernel;
  }

  /** A service of the container. */
  service<Name extends ServiceName>(name: Name): Services[Name] {
    assert(this.#services.has(name), `no module provides "${name}"`);
    return this.#services.get(name) as Services[Name];
  }

  /** Undoes everything, last first; an undo that fails is logged and the rest still run. */
  async stop(): Promise<void> {
    for (let next = this.#undos.pop(); next; next = this.#undos.pop()) {
      try {
        await next.undo();
      } catch (error) {
        this.#log.error({ module: next.name, err: error }, "a module failed to stop");
      }
    }
  }

  /**
   * Applies a new configuration where keys may change live; answers the keys that need a restart,
   * which stay as they were until then. When a module refuses, every module has the old one again.
   */
  reload(configuration: Configuration): { readonly applied: string[]; readonly restart: string[] } {
    const before = this.#configuration;
    const changed = changedKeys(before, configuration);
    const after = withLiveKeys(before, configuration);
    try {
      this.#apply(after);
    } catch (error) {
      this.#apply(before);
      throw error;
    }
    this.#configuration = after;
    this.#applyLogLevel();
    const paths = (live: boolean) => changed.filter((key) => key.live === live).map(pathOf);
    return { applied: paths(true), restart: paths(false) };
  }

  #apply(configuration: Configuration): void {
    for (const { module, reloads } of this.#started) {
      const config = configuration.section(sectionOf(module)) as never;
      for (const apply of reloads) apply(config);
    }
  }

  /** Children of a log keep their own level, so each is told. */
  #applyLogLevel(): void {
    const level = this.#configuration.value("logging.level");
    if (typeof level !== "string") return;
    for (const log of [this.#log, ...this.#logs]) log.level = level.toLowerCase();
  }

  async #start(module: AnyModule): Promise<void> {
    const reloads: Started["reloads"] = [];
    const service = await module.start(this.#servicesFor(module), this.#contextOf(module, reloads));
    this.#started.push({ module, reloads });
    if (module.provides !== undefined) this.#services.set(module.provides, service);
  }

  #servicesFor(module: AnyModule): Services {
    const entries = module.needs.map((name) => [name, this.service(name)] as const);
    return Object.fromEntries(entries) as unknown as Services;
  }

  #contextOf(module: AnyModule, reloads: Started["reloads"]): ModuleContext<never> {
    const log = this.#log.child({ module: module.name });
    this.#logs.push(log);
    return {
      config: this.#configuration.section(sectionOf(module)) as never,
      log,
      defer: (undo) => this.#undos.push({ name: module.name, undo }),
      ready: (open) => this.#opens.push(open),
      reloaded: (apply) => reloads.push(apply),
      fatal: (fault) => this.#onFatal(fault),
    };
  }
}

function pathOf({ path }: ConfigKey): string {
  return path;
}

function sectionOf(module: AnyModule): string {
  return module.section ?? module.name;
}

/** Modules so that each comes after what it needs, otherwise as listed. */
function inOrder(modules: readonly AnyModule[]): AnyModule[] {
  const provided = new Set<ServiceName>(["events"]);
  const ordered: AnyModule[] = [];
  let waiting = [...modules];
  while (waiting.length > 0) {
    const next = waiting.find((module) => module.needs.every((need) => provided.has(need)));
    if (!next) throw new AssertionError(missingNeeds(waiting, provided));
    ordered.push(next);
    if (next.provides !== undefined) addProvided(provided, next);
    waiting = waiting.filter((module) => module !== next);
  }
  return ordered;
}

function addProvided(provided: Set<ServiceName>, module: AnyModule): void {
  const name = module.provides as ServiceName;
  if (provided.has(name)) {
    throw new PoolError("internal", "kernel.twice", `Two modules provide "${name}".`);
  }
  provided.add(name);
}

function missingNeeds(waiting: readonly AnyModule[], provided: ReadonlySet<ServiceName>): string {
  const lacks = waiting.map((module) => {
    const missing = module.needs.filter((need) => !provided.has(need));
    return `${module.name} needs ${missing.join(", ")}`;
  });
  return `modules wait for each other or for nobody: ${lacks.join("; ")}`;
}
