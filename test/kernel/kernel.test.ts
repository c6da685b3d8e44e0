import { describe, expect, test } from "bun:test";
import { pino } from "pino";
import { configKeys, configure } from "@/kernel/config.ts";
import { Kernel } from "@/kernel/kernel.ts";
import { type AnyModule, defineModule } from "@/kernel/module.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    first: string;
    second: string;
  }
}

declare module "@/kernel/events.ts" {
  interface EventMap {
    "test.done": { at: number };
  }
}

const log = pino({ level: "silent" });

function start(modules: readonly AnyModule[], onFatal?: (fault: unknown) => void): Promise<Kernel> {
  const configuration = configure(configKeys(modules), []);
  return Kernel.start(modules, { log, configuration, ...(onFatal ? { onFatal } : {}) });
}

/** Two modules that write down what happens to them; `second` needs `first`. */
function pair(told: string[], failing?: string): AnyModule[] {
  const step = (name: string): void => {
    told.push(name);
    if (name === failing) throw new Error(`${name} fails`);
  };
  const second = defineModule({
    name: "second",
    needs: ["first"],
    provides: "second",
    start({ first }, { defer, ready }) {
      step(`second after ${first}`);
      defer(() => step("second undone"));
      ready(() => step("second open"));
      return "second";
    },
  });
  const first = defineModule({
    name: "first",
    needs: [],
    provides: "first",
    start(_, { defer, ready }) {
      step("first");
      defer(() => step("first undone"));
      ready(() => step("first open"));
      return "first";
    },
  });
  return [second, first];
}

describe("the kernel", () => {
  test("starts modules by what they need, opens doors last, and undoes in reverse", async () => {
    const told: string[] = [];
    const kernel = await start(pair(told));
    await kernel.stop();
    const opened = ["first", "second after first", "first open", "second open"];
    expect(told).toEqual([...opened, "second undone", "first undone"]);
  });

  test("stops what had started when a start fails", async () => {
    const told: string[] = [];
    await expect(start(pair(told, "second after first"))).rejects.toThrow(
      "second after first fails",
    );
    expect(told.at(-1)).toBe("first undone");
  });

  test("runs the other undos when one fails", async () => {
    const told: string[] = [];
    const kernel = await start(pair(told, "second undone"));
    await kernel.stop();
    expect(told.at(-1)).toBe("first undone");
  });

  test("undoes only once", async () => {
    const told: string[] = [];
    const kernel = await start(pair(told));
    await kernel.stop();
    const count = told.length;
    await kernel.stop();
    expect(told).toHaveLength(count);
  });

  test("refuses a need that nobody provides, and names it", async () => {
    const [second] = pair([]);
    if (!second) throw new Error("there are two");
    await expect(start([second])).rejects.toThrow("second needs first");
  });

  test("refuses two modules that provide the same", async () => {
    const modules = pair([]);
    const twin = { ...modules[1], name: "twin" } as AnyModule;
    await expect(start([...modules, twin])).rejects.toThrow('Two modules provide "first"');
  });

  test("hands faults of a module to the one who ends the process", async () => {
    const faults: unknown[] = [];
    const broken = defineModule({
      name: "broken",
      needs: [],
      start: (_, { fatal }) => fatal("oh"),
    });
    await start([broken], (fault) => faults.push(fault));
    expect(faults).toEqual(["oh"]);
  });

  test("tells events to all who listen, also when one of them fails", async () => {
    const kernel = await start([]);
    const events = kernel.service("events");
    const heard: number[] = [];
    events.on("test.done", () => {
      throw new Error("a bad listener");
    });
    const end = events.on("test.done", ({ at }) => heard.push(at));
    events.tell("test.done", { at: 1 });
    end();
    events.tell("test.done", { at: 2 });
    expect(heard).toEqual([1]);
  });
});

describe("a reload", () => {
  const modules = (seen: unknown[]): AnyModule[] => [
    defineModule({
      name: "pace",
      needs: [],
      config: (t) =>
        t.Object({
          step: t.Integer({ default: 1, live: true }),
          width: t.Integer({ default: 1 }),
        }),
      start(_, { reloaded }) {
        reloaded(({ step }) => seen.push(step));
      },
    }),
  ];
  const layer = (values: Record<string, unknown>) => ({
    origin: () => "test",
    values: new Map(Object.entries(values)),
  });

  test("applies what may change live and names what needs a restart", async () => {
    const seen: unknown[] = [];
    const list = modules(seen);
    const kernel = await start(list);
    const next = configure(configKeys(list), [layer({ "pace.step": 2, "pace.width": 3 })]);
    expect(kernel.reload(next)).toEqual({ applied: ["pace.step"], restart: ["pace.width"] });
    expect(seen).toEqual([2]);
  });

  test("leaves what needs a restart as it was, and says so until then", async () => {
    const seen: unknown[] = [];
    const whole = defineModule({
      name: "pace",
      needs: [],
      config: (t) =>
        t.Object({ step: t.Integer({ default: 1, live: true }), width: t.Integer({ default: 1 }) }),
      start: (_, { reloaded }) => reloaded((config) => seen.push(config)),
    });
    const kernel = await start([whole]);
    const next = configure(configKeys([whole]), [layer({ "pace.step": 2, "pace.width": 3 })]);
    kernel.reload(next);
    expect(seen).toEqual([{ step: 2, width: 1 }]);
    expect(kernel.reload(next)).toEqual({ applied: [], restart: ["pace.width"] });
  });

  test("that a module refuses changes nothing", async () => {
    const seen: unknown[] = [];
    const strict = defineModule({
      name: "strict",
      needs: [],
      config: (t) => t.Object({ limit: t.Integer({ default: 1, live: true }) }),
      start(_, { reloaded }) {
        reloaded(({ limit }) => {
          if (limit > 5) throw new Error("too much");
        });
      },
    });
    const list = [...modules(seen), strict];
    const kernel = await start(list);
    const asked = (limit: number) =>
      configure(configKeys(list), [layer({ "pace.step": 2, "strict.limit": limit })]);
    expect(() => kernel.reload(asked(9))).toThrow("too much");
    expect(seen).toEqual([2, 1]);
    expect(kernel.reload(asked(3)).applied).toEqual(["pace.step", "strict.limit"]);
  });

  test("changes the level of every module's log", async () => {
    let level = (): string => "";
    const logging = defineModule({
      name: "logging",
      needs: [],
      config: (t) => t.Object({ level: t.String({ default: "INFO", live: true }) }),
      start(_, { log: own }) {
        level = () => own.level;
      },
    });
    const kernel = await start([logging]);
    kernel.reload(configure(configKeys([logging]), [layer({ "logging.level": "DEBUG" })]));
    expect(level()).toBe("debug");
    kernel.reload(configure(configKeys([logging]), [layer({ "logging.level": "silent" })]));
  });
});
