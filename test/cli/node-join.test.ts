import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { refusalCode } from "#test/support/refusal-code.ts";
import { addressIn, joinTerms } from "@/cli/node-join.ts";

describe("the address of a pool", () => {
  test.each([
    ["pool.lan", "pool.lan:50051"],
    ["pool.lan:7000", "pool.lan:7000"],
    ["10.0.0.7", "10.0.0.7:50051"],
    ["fe80::1", "[fe80::1]:50051"],
    ["[fe80::1]", "[fe80::1]:50051"],
    ["[fe80::1]:7000", "[fe80::1]:7000"],
    ["grpc://pool.lan", "pool.lan:50051"],
    ["grpcs://pool.lan:7000/", "pool.lan:7000"],
    ["GRPC://[fe80::1]:7000", "[fe80::1]:7000"],
    ["https://pool.lan", "pool.lan:50051"],
    ["https://pool.lan:8443/", "pool.lan:50051"],
    ["https://[fe80::1]:8443", "[fe80::1]:50051"],
  ])("%s is %s", (text, address) => {
    expect(addressIn(text)).toBe(address);
  });

  test.each(["http://pool.lan", "pool.lan/x", "", "a b", "ftp://pool.lan"])(
    "%j is none",
    (text) => {
      expect(refusalCode(() => addressIn(text))).toBe("cli.invalid");
    },
  );
});

describe("joining", () => {
  const ENVIRONMENT = { GALAXY_POOL_URL: "grpc://pool.lan", GALAXY_POOL_TOKEN: "GP1.env" };

  test("takes from the environment what is not said", () => {
    const { addresses, token } = joinTerms({}, [], ENVIRONMENT);
    expect([addresses, token]).toEqual([["pool.lan:50051"], "GP1.env"]);
  });

  test("takes what is said over the environment", () => {
    const { addresses, token } = joinTerms({ token: "GP1.said" }, ["a", "b"], ENVIRONMENT);
    expect([addresses, token]).toEqual([["a:50051", "b:50051"], "GP1.said"]);
  });

  test("reads the token from a file", () => {
    using folder = temporaryFolder();
    const tokenFile = join(folder.path, "token");
    writeFileSync(tokenFile, "GP1.file\n");
    expect(joinTerms({ tokenFile }, [], ENVIRONMENT).token).toBe("GP1.file");
    const environment = { GALAXY_POOL_TOKEN_FILE: tokenFile };
    expect(joinTerms({}, ["h"], environment).token).toBe("GP1.file");
  });

  test.each([
    ["no pool", {}, [], { GALAXY_POOL_TOKEN: "t" }],
    ["no token", {}, ["h"], {}],
    ["a token file that is not there", { tokenFile: "/nowhere/token" }, ["h"], {}],
    ["two tokens", { token: "t", tokenFile: "/nowhere/token" }, ["h"], {}],
    ["a fact that is no pair", { token: "t", meta: ["x"] }, ["h"], {}],
  ] as const)("refuses %s as a mistake of usage", (_, flags, hosts, environment) => {
    expect(refusalCode(() => joinTerms(flags, hosts, environment))).toBe("cli.invalid");
  });
});
