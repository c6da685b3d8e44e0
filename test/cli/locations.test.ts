import { describe, expect, test } from "bun:test";
import { homeOf } from "@/cli/locations.ts";

describe("the home folder", () => {
  const nobody = (): string => {
    throw Object.assign(new Error("ENOENT: uv_os_homedir"), { code: "ENOENT" });
  };

  test.each([
    ["is what HOME says", { HOME: "/home/ada" }, () => "/root", "/home/ada"],
    ["else what the list of users says", {}, () => "/home/bob", "/home/bob"],
    ["else the root, where no list knows the user", {}, nobody, "/"],
    ["is not an empty HOME", { HOME: "" }, () => "/home/bob", "/home/bob"],
  ])("%s", (_, environment, ask, home) => {
    expect(homeOf(environment, ask)).toBe(home);
  });
});
