import { afterAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { refusalCode } from "#test/support/refusal-code.ts";
import { type ConfigFlags, loadConfiguration, requireGood } from "@/cli/configuration.ts";
import { PoolError } from "@/std/errors.ts";

const HOME = { HOME: "/home/nobody" };

function load(flags: ConfigFlags, environment: NodeJS.ProcessEnv = {}) {
  return loadConfiguration(flags, { ...HOME, ...environment }).configuration;
}

const folder = temporaryFolder();
afterAll(() => folder[Symbol.dispose]());

function file(name: string, text: string): string {
  const path = join(folder.path, name);
  writeFileSync(path, text);
  return path;
}

describe("the configuration of a pool", () => {
  test.each([
    ["NODE_MANAGEMENT_PORT", "9000", "http.port", 9000],
    ["MAX_NODES_PER_POOL", "7", "registry.max_nodes", 7],
    ["PAYOUT_THRESHOLD_USDT", "12.5", "payout.threshold_usdt", "12.5"],
    ["POOT_CALCULATION_INTERVAL", "600", "poot.interval_seconds", 600],
    ["PAYOUT_PROCESSING_INTERVAL", "2h", "payout.interval_seconds", 7200],
    ["LOG_LEVEL", "DEBUG", "logging.level", "DEBUG"],
    ["DATABASE_URL", "postgres://db/pool", "database.url", "postgres://db/pool"],
    ["GALAXY_POOL_REGISTRY_MAX_NODES", "8", "registry.max_nodes", 8],
  ])("understands %s", (name, text, key, value) => {
    const configuration = load({}, { [name]: text });
    expect(configuration.value(key)).toEqual(value);
    expect(configuration.origin(key)).toContain(name);
  });

  test("takes what may hold a password from a credential of systemd, below the environment", () => {
    using credentials = temporaryFolder();
    const CREDENTIALS_DIRECTORY = credentials.path;
    writeFileSync(join(CREDENTIALS_DIRECTORY, "database.url"), "postgres://a:b@db/pool\n");
    writeFileSync(join(CREDENTIALS_DIRECTORY, "http.port"), "1");
    const taken = load({}, { CREDENTIALS_DIRECTORY });
    expect([taken.value("database.url"), taken.origin("database.url")]).toEqual([
      "postgres://a:b@db/pool",
      "credential database.url",
    ]);
    expect(taken.origin("http.port")).toBe("default");
    const DATABASE_URL = "postgres://other/pool";
    const over = load({}, { CREDENTIALS_DIRECTORY, DATABASE_URL });
    expect(over.value("database.url")).toBe(DATABASE_URL);
  });

  test("lays flags over environment over file over defaults", () => {
    const config = file(
      "pool.yaml",
      "http: { port: 1001, secure_port: 1002 }\nregistry: { max_nodes: 3 }\n",
    );
    const environment = { NODE_MANAGEMENT_PORT: "2001", MAX_NODES_PER_POOL: "4" };
    const configuration = load({ config, set: ["http.port=3001"] }, environment);
    expect(
      ["http.port", "registry.max_nodes", "http.secure_port"].map(configuration.value),
    ).toEqual([3001, 4, 1002]);
  });

  test.each([
    ["payout.threshold_usdt", "lots"],
    ["payout.rail", "stellar"],
    ["payout.approval", "two"],
    ["poot.tariff.usdt_per_hour", "0.00000001"],
    ["poot.slot_seconds", "77"],
    ["registry.health_check_interval", "60"],
    ["server.address", "nowhere"],
    ["server.tls.enabled", "false"],
  ])("is refused where only the module that reads %s knows better", (key, value) => {
    const configuration = load({ set: [`${key}=${value}`] });
    expect(() => requireGood(configuration)).toThrow(PoolError);
  });

  test("is good as it comes, and with a server's database", () => {
    requireGood(load({}));
    requireGood(load({}, { DATABASE_URL: "postgres://db/pool" }));
    const wrong = () => requireGood(load({}, { DATABASE_URL: "postgres://a b:/@/" }));
    expect(refusalCode(wrong)).toBe("config.invalid");
  });

  test("reads TOML by its name", () => {
    const config = file("pool.toml", "[http]\nport = 1234\n");
    expect(load({ config }).value("http.port")).toBe(1234);
  });

  test("takes the cache of the storage section for the database's", () => {
    const config = file("pool.yaml", "storage: { cache_size: 104857600, backend: sqlite }\n");
    expect(load({ config }).value("database.cache_bytes")).toBe(104_857_600);
  });

  test.each([
    ["RocksDB", "storage: { backend: RocksDB }", "config.fixed"],
    ["a certificate of its own", "server: { tls: { cert_file: /x.pem } }", "config.fixed"],
    ["a section of an absent module", "stake: { enabled: true }", "config.module_missing"],
    ["consensus keys", "consensus: { batch_size: 5 }", "config.module_missing"],
    ["an unknown key", "http: { prot: 1 }", "config.unknown_key"],
    ["an unknown section", "weather: { sun: 1 }", "config.unknown_key"],
    ["a value for a section", "http: 8095", "config.unknown_key"],
    ["a wrong type", "http: { port: eighty }", "config.invalid"],
    ["broken YAML", "http: [1,", "config.unreadable"],
  ])("refuses %s in a file", (_, text, code) => {
    const config = file("pool.yaml", text);
    expect(refusalCode(() => load({ config }))).toBe(code);
  });

  test("refuses MONGODB_URI and names what to use instead", () => {
    expect(() => load({}, { MONGODB_URI: "mongodb://x" })).toThrow("DATABASE_URL");
  });

  test.each([
    ["production", false],
    ["development", true],
    ["test", true],
    ["/root/.shrc", true],
  ])("knows what ENV=%s means for a demo", (ENV, isAllowed) => {
    const demo = () => load({ set: ["poot.demo=true"] }, { ENV }).value("poot.demo");
    if (isAllowed) expect(demo()).toBe(true);
    else expect(refusalCode(demo)).toBe("config.demo");
    expect(load({}, { ENV }).value("poot.demo")).toBe(false);
  });

  test("refuses an unknown variable of ours and guesses the right one", () => {
    expect(() => load({}, { GALAXY_POOL_HTTP_PROT: "1" })).toThrow('"http.port"');
  });

  test("leaves the installer's variables alone", () => {
    expect(
      load({}, { GALAXY_POOL_URL: "http://x", GALAXY_POOL_TOKEN: "t" }).value("http.port"),
    ).toBe(8095);
  });

  test("refuses a configuration file that was named and is not there", () => {
    expect(refusalCode(() => load({ config: "/nowhere/pool.yaml" }))).toBe("config.missing");
  });

  test("refuses --set without a value", () => {
    expect(refusalCode(() => load({ set: ["http.port"] }))).toBe("config.invalid");
  });
});
