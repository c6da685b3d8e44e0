import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { configKeys, configure, flatten } from "@/kernel/config.ts";
import { defineModule } from "@/kernel/module.ts";

const payout = defineModule({
  name: "payouts",
  section: "payout",
  needs: [],
  config: (t) =>
    t.Object({
      threshold_usdt: t.String({ default: "10.0", description: "When a node is due." }),
      interval_seconds: t.Integer({ default: 3600, minimum: 1, duration: true }),
      enabled: t.Boolean({ default: true }),
      limits: t.Object({ most: t.Integer({ default: 5, maximum: 9 }) }),
      weights: t.Record(t.String(), t.Integer(), { default: {} }),
    }),
  start() {},
});

const KEYS = configKeys([payout]);

function layer(origin: string, values: Record<string, unknown>) {
  return { origin: () => origin, values: new Map(Object.entries(values)) };
}

describe("the configuration", () => {
  test("has every key with its variable, under the public name of the section", () => {
    expect(KEYS.map(({ path }) => path)).toEqual([
      "payout.enabled",
      "payout.interval_seconds",
      "payout.limits.most",
      "payout.threshold_usdt",
      "payout.weights",
    ]);
    expect(KEYS[2]?.variable).toBe("GALAXY_POOL_PAYOUT_LIMITS_MOST");
  });

  test("lays later layers over earlier ones over the defaults, and remembers where from", () => {
    const made = configure(KEYS, [
      layer("file", { "payout.limits.most": 6, "payout.enabled": false }),
      layer("environment", { "payout.limits.most": "7" }),
    ]);
    expect(made.section("payout")).toEqual({
      enabled: false,
      interval_seconds: 3600,
      limits: { most: 7 },
      threshold_usdt: "10.0",
      weights: {},
    });
    expect(["payout.enabled", "payout.limits.most", "payout.weights"].map(made.origin)).toEqual([
      "file",
      "environment",
      "default",
    ]);
  });

  test.each([
    ["a duration with a unit", "payout.interval_seconds", "5m", 300],
    ["a duration in hours", "payout.interval_seconds", "1h", 3600],
    ["a bare number of seconds", "payout.interval_seconds", "45", 45],
    ["a boolean word", "payout.enabled", "false", false],
    ["a record as JSON", "payout.weights", '{"storage":1500}', { storage: 1500 }],
  ])("reads %s from text", (_, key, text, value) => {
    expect(configure(KEYS, [layer("flag", { [key]: text })]).value(key)).toEqual(value);
  });

  test.each([
    ["a word for a number", "payout.limits.most", "many"],
    ["a number above its limit", "payout.limits.most", 10],
    ["a number below its limit", "payout.interval_seconds", 0],
    ["a fraction for a whole number", "payout.limits.most", 1.5],
    ["a number for a text", "payout.threshold_usdt", 10],
    ["a unit nobody knows", "payout.interval_seconds", "5 fortnights"],
    ["nothing", "payout.enabled", null],
  ])("refuses %s", (_, key, value) => {
    const act = () => configure(KEYS, [layer("file", { [key]: value })]);
    expect(refusalCode(act)).toBe("config.invalid");
  });

  test("never repeats a secret that is not as it should be", () => {
    const store = defineModule({
      name: "store",
      needs: [],
      config: (t) => t.Object({ url: t.String({ default: "a:", pattern: "^a:", secret: true }) }),
      start() {},
    });
    const act = () =>
      configure(configKeys([store]), [layer("env", { "store.url": "b://me:pw@h" })]);
    expect(act).toThrow("store.url (env)");
    expect(act).not.toThrow("pw");
  });

  test("refuses an unknown key and names the nearest known one", () => {
    const act = () => configure(KEYS, [layer("file", { "payout.treshold_usdt": "1" })]);
    expect(act).toThrow('Did you mean "payout.threshold_usdt"?');
  });

  test("does not guess when nothing is near", () => {
    const act = () => configure(KEYS, [layer("file", { "weather.tomorrow": "1" })]);
    expect(act).toThrow('See "galaxy-pool config reference"');
  });

  test("flattens a file, and leaves records whole", () => {
    const file = { payout: { limits: { most: 2 }, weights: { storage: 1500 } } };
    expect([...flatten(file, KEYS)]).toEqual([
      ["payout.limits.most", 2],
      ["payout.weights", { storage: 1500 }],
    ]);
  });

  test.each([
    ["nothing", null],
    ["an empty file", {}],
  ])("takes %s for no settings at all", (_, file) => {
    expect(
      configure(KEYS, [{ origin: () => "file", values: flatten(file, KEYS) }]).value(
        "payout.enabled",
      ),
    ).toBe(true);
  });
});
