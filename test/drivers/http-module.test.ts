import { describe, expect, test } from "bun:test";
import { Elysia } from "elysia";
import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import { selfSigned } from "#test/support/http.ts";
import { http } from "@/drivers/http/module.ts";
import { intake } from "@/drivers/intake/module.ts";
import { metrics } from "@/drivers/metrics.ts";
import { random } from "@/drivers/random.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import { configKeys, configure } from "@/kernel/config.ts";
import { Kernel } from "@/kernel/kernel.ts";
import { type AnyModule, defineModule } from "@/kernel/module.ts";
import type { Access } from "@/ports/http.ts";

const clock = defineModule({
  name: "clock",
  needs: [],
  provides: "clock",
  start: () => new TestClock(),
});

const database = defineModule({
  name: "database",
  needs: ["clock"],
  provides: "database",
  start: ({ clock }) => openSqlite({ path: ":memory:", clock, onFailed: () => {} }),
});

function ringing(access: Access): AnyModule {
  return defineModule({
    name: "bell",
    needs: ["http"],
    start({ http }) {
      http.mount(
        new Elysia().get("/bell", () => "ding"),
        [{ method: "GET", path: "/bell", access }],
      );
    },
  });
}

/** A whole kernel around the http module. */
async function startWith(
  more: readonly AnyModule[],
  settings: Readonly<Record<string, unknown>> = {},
) {
  const modules = [clock, random, metrics, intake, database, http, ...more];
  const lines: string[] = [];
  const values = new Map<string, unknown>(
    Object.entries({ "http.port": 0, "http.secure_port": 0, ...settings }),
  );
  const configuration = configure(configKeys(modules), [{ origin: () => "test", values }]);
  const log = pino({}, { write: (line: string) => void lines.push(line) });
  const kernel = await Kernel.start(modules, { log, configuration });
  return { kernel, lines, http: kernel.service("http") };
}

describe("the http module", () => {
  test("listens once all have started, says where, and closes at the stop", async () => {
    const early: string[] = [];
    const looking = defineModule({
      name: "looking",
      needs: ["http"],
      start({ http }) {
        early.push(...http.urls().plain);
      },
    });
    const { kernel, http, lines } = await startWith([ringing("anyone"), looking]);
    expect(early).toEqual([]);
    const [url = ""] = http.urls().plain;
    expect(Number(new URL(url).port)).toBeGreaterThan(0);
    expect(lines.join("")).toContain(url);
    expect(await (await fetch(`${url}/bell`)).text()).toBe("ding");
    await kernel.stop();
    await expect(fetch(`${url}/bell`)).rejects.toThrow();
  });

  test("refuses to start when nobody settled who calls", async () => {
    await expect(startWith([ringing(["admin"])])).rejects.toThrow("authenticateWith");
  });

  test("refuses to start on a port that is taken, plain or secure", async () => {
    const identity = await selfSigned("pool");
    const identified = defineModule({
      name: "identified",
      needs: ["http"],
      start: ({ http }) => http.identifyWith(identity),
    });
    const { kernel, http } = await startWith([identified]);
    const plain = Number(new URL(http.urls().plain[0] ?? "").port);
    const secure = Number(new URL(http.urls().secure[0] ?? "").port);
    await expect(startWith([], { "http.port": plain })).rejects.toThrow("something else listens");
    const again = startWith([identified], { "http.secure_port": secure });
    await expect(again).rejects.toThrow("something else listens");
    await kernel.stop();
  });

  test("warns when plain HTTP leaves the loopback", async () => {
    const { kernel, lines, http } = await startWith([], { "http.address": "0.0.0.0" });
    expect(lines.map((line) => JSON.parse(line).level)).toContain(40);
    expect(http.urls().plain[0]).toStartWith("http://0.0.0.0:");
    await kernel.stop();
  });

  test("gives a request that runs at the stop the time to end", async () => {
    const opened = Promise.withResolvers<void>();
    const asked = Promise.withResolvers<void>();
    const slow = defineModule({
      name: "slow",
      needs: ["http"],
      start({ http }) {
        const routes = new Elysia().get("/slow", async () => {
          asked.resolve();
          await opened.promise;
          return "done";
        });
        http.mount(routes, [{ method: "GET", path: "/slow", access: "anyone" }]);
      },
    });
    const { kernel, http } = await startWith([slow]);
    const answer = fetch(`${http.urls().plain[0]}/slow`);
    await asked.promise;
    const stopped = kernel.stop();
    opened.resolve();
    expect(await (await answer).text()).toBe("done");
    await stopped;
  });
});
