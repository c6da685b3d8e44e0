import { describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { knownKeys } from "@/cli/configuration.ts";
import { EXIT } from "@/cli/refusals.ts";

const FOLDER = join(import.meta.dir, "../../systemd");
const UNITS = ["galaxy-pool.service", "galaxy-node.service"] as const;
const LAN = { "galaxy-pool.service": "lan.conf", "galaxy-node.service": "node-lan.conf" } as const;
const EXPOSURE_MAX = 1.1;
const EXPOSURE_MAX_LAN = 1.0;

type Unit = (typeof UNITS)[number];

function textOf(name: string): string {
  return readFileSync(join(FOLDER, name), "utf8");
}

/** The lines of a unit that say something, as name and value. */
function directivesOf(text: string): (readonly [string, string])[] {
  const lines = text.split("\n").filter((line) => /^\w+=/.test(line));
  return lines.map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]);
}

function valuesOf(text: string, name: string): string[] {
  return directivesOf(text).flatMap(([one, value]) => (one === name ? [value] : []));
}

interface Analysed {
  readonly code: number;
  readonly said: string;
}

/** Puts a unit with its drop-ins into a folder of its own, and has systemd look at it. */
function analysed(
  unit: Unit,
  text: string,
  dropIns: readonly string[],
  ...words: string[]
): Analysed {
  using folder = temporaryFolder();
  const file = join(folder.path, unit);
  writeFileSync(file, text.replaceAll("/usr/local/bin/galaxy-pool", process.execPath));
  mkdirSync(`${file}.d`);
  for (const name of dropIns) writeFileSync(join(`${file}.d`, name), textOf(`drop-ins/${name}`));
  const run = Bun.spawnSync(["systemd-analyze", ...words, file], {
    stdout: "pipe",
    stderr: "pipe",
  });
  return { code: run.exitCode, said: `${run.stdout}${run.stderr}` };
}

/** How exposed systemd finds a unit: 0 is best, 10 is worst. */
function exposureOf(unit: Unit, text: string, ...dropIns: string[]): number {
  const { said } = analysed(unit, text, dropIns, "security", "--offline=true", "--no-pager");
  const found = /Overall exposure level for \S+: (\d+\.\d)/.exec(said)?.[1];
  if (found === undefined) throw new Error(`systemd-analyze told no figure: ${said}`);
  return Number(found);
}

describe.each(UNITS)("%s", (unit) => {
  const text = textOf(unit);

  test.each([
    ["as it is", []],
    ["for the local network", [LAN[unit]]],
    ["without writable and executable memory", ["wx.conf"]],
    ["with both", [LAN[unit], "wx.conf"]],
  ])("is clean to systemd %s", (_, dropIns) => {
    const { code, said } = analysed(unit, text, dropIns, "verify", "--man=no");
    expect([code, said]).toEqual([0, ""]);
  });

  test(`is exposed by ${EXPOSURE_MAX} at most`, () => {
    expect(exposureOf(unit, text)).toBeLessThanOrEqual(EXPOSURE_MAX);
    expect(exposureOf(unit, text, "wx.conf")).toBeLessThanOrEqual(EXPOSURE_MAX);
  });

  test(`is exposed by ${EXPOSURE_MAX_LAN} at most on the local network`, () => {
    expect(exposureOf(unit, text, LAN[unit])).toBeLessThanOrEqual(EXPOSURE_MAX_LAN);
  });

  test.each([
    "CapabilityBoundingSet",
    "SystemCallFilter",
    "SystemCallArchitectures",
    "RestrictNamespaces",
    "RestrictAddressFamilies",
    "RestrictRealtime",
    "ProtectProc",
    "ProtectClock",
    "ProtectHome",
    "ProtectKernelTunables",
    "ProtectKernelModules",
    "ProtectKernelLogs",
    "ProtectControlGroups",
    "PrivateUsers",
    "PrivateMounts",
    "PrivateDevices",
  ])("would be found out without %s", (name) => {
    const poorer = text.replace(new RegExp(`^${name}=.*\n`, "gm"), "");
    expect(poorer).not.toBe(text);
    expect(exposureOf(unit, poorer)).toBeGreaterThan(EXPOSURE_MAX);
  });

  test("is started again but where a second try changes nothing", () => {
    const never = valuesOf(text, "RestartPreventExitStatus").join(" ").split(" ").map(Number);
    const always = [EXIT.refused, EXIT.usage, EXIT.checkFailed];
    expect(never).toEqual(unit === "galaxy-node.service" ? [EXIT.done, ...always] : always);
    expect(valuesOf(text, "Restart")).toEqual(["always"]);
    expect(valuesOf(text, "StartLimitIntervalSec")).toEqual(["0"]);
  });

  test("forbids execution only where it may write: elsewhere that would let it write", () => {
    const [folder] = valuesOf(text, "StateDirectory");
    const writable = ["/tmp", "/var/tmp", "/dev/shm", `/var/lib/private/${folder}`];
    expect(valuesOf(text, "NoExecPaths").join(" ").split(" ")).toEqual(writable);
  });

  test("leaves no core file, and takes the variables that steer the runtime away", () => {
    expect(valuesOf(text, "LimitCORE")).toEqual(["0"]);
    const unset = valuesOf(text, "UnsetEnvironment").join(" ").split(" ");
    expect(unset).toEqual(expect.arrayContaining(["BUN_OPTIONS", "BUN_BE_BUN", "BUN_INSPECT"]));
  });
});

test("the drop-in for credentials is clean to systemd", () => {
  const text = textOf("galaxy-pool.service");
  const { code, said } = analysed(
    "galaxy-pool.service",
    text,
    ["credentials.conf"],
    "verify",
    "--man=no",
  );
  expect([code, said]).toEqual([0, ""]);
});

test("the pool's reload checks the configuration before it sends the signal", () => {
  const reload = valuesOf(textOf("galaxy-pool.service"), "ExecReload");
  expect(reload).toEqual(["/usr/local/bin/galaxy-pool config check", "/bin/kill -HUP $MAINPID"]);
});

test("the local network is allowed the ports a pool listens on by itself", () => {
  const allowed = valuesOf(textOf("drop-ins/lan.conf"), "SocketBindAllow");
  const ports = ["http.port", "http.secure_port", "server.address"].map((path) => {
    const preset = knownKeys().find((key) => key.path === path)?.schema.default;
    return `tcp:${String(preset).split(":").at(-1)}`;
  });
  expect(allowed).toEqual([...ports, "udp:5353"]);
});

describe("the tables of systemd/README.md", () => {
  const said = textOf("README.md");
  const rows = [...said.matchAll(/^\| (`\w+`(?: `\w+`)*) \| (.*)$/gm)].flatMap(
    ([, names = "", rest = ""]) =>
      [...names.matchAll(/`(\w+)`/g)].map(([, name = ""]) => ({ name, rest })),
  );
  const plain = new Set(["Description", "Documentation", "WantedBy"]);

  test.each(UNITS)("have a row for each line of %s", (unit) => {
    const other = unit === "galaxy-pool.service" ? "(node)" : "(pool)";
    const own = unit === "galaxy-pool.service" ? "(pool)" : "(node)";
    const isHere = (rest: string): boolean => rest.includes(own) || !rest.startsWith(other);
    const named = rows.flatMap(({ name, rest }) => (isHere(rest) ? [name] : []));
    const lines = directivesOf(textOf(unit)).map(([name]) => name);
    const there = new Set(lines.filter((name) => !plain.has(name)));
    expect([...there].toSorted()).toEqual([...new Set(named)].toSorted());
  });
});
