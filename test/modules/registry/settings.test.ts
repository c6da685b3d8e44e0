import { describe, expect, test } from "bun:test";
import { refusalCode } from "#test/support/refusal-code.ts";
import { configKeys, configure, flatten } from "@/kernel/config.ts";
import { registry } from "@/modules/registry/module.ts";
import { requireSameInterval, settingsOf } from "@/modules/registry/settings.ts";

const KEYS = configKeys([registry]);

function sectionOf(section: Record<string, unknown>): Parameters<typeof settingsOf>[0] {
  const values = flatten({ registry: section }, KEYS);
  const layer = { origin: () => "file", values };
  return configure(KEYS, [layer]).section("registry") as unknown as Parameters<
    typeof settingsOf
  >[0];
}

describe("the section registry", () => {
  test("has defaults a home pool can live with", () => {
    expect(settingsOf(sectionOf({}))).toEqual({
      maxNodes: 100,
      lostAfterSlots: 3,
      healthCheckSeconds: undefined,
      allowedOrgs: undefined,
      isPublic: false,
      graceSeconds: 604_800,
      pendingMax: 20,
      pendingPerNetworkMax: 4,
      pendingSeconds: 3_600,
    });
  });

  test("reads durations and lists", () => {
    const section = { health_check_interval: "1m", allowed_orgs: "acme, beta", max_nodes: "7" };
    expect(settingsOf(sectionOf(section))).toMatchObject({
      healthCheckSeconds: 60,
      allowedOrgs: ["acme", "beta"],
      maxNodes: 7,
    });
  });

  test.each([
    ["max_nodes", 0],
    ["max_nodes", 10_001],
    ["auto_deregister_after", 1],
    ["health_check_interval", "soon"],
  ])("refuses %s = %p", (key, value) => {
    expect(refusalCode(() => sectionOf({ [key]: value }))).toBe("config.invalid");
  });

  test("opens pools that say nothing else to anybody", () => {
    const section = sectionOf({ allow_public_registration: true });
    expect(settingsOf(section)).toMatchObject({ isPublic: true });
  });

  test.each([
    [undefined, 30, "allowed"],
    [30, 30, "allowed"],
    [60, 30, "config.invalid"],
  ])("a health check every %p s with slots of %d s is %s", (health, slot, code) => {
    expect(refusalCode(() => requireSameInterval(health, slot))).toBe(code);
  });
});
