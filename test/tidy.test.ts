import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** The rules of src/README.md, kept by a machine. */

const ROOT = join(import.meta.dir, "..");
const MODULE_FILES = walk("src").filter(
  (path) => path.endsWith(".ts") && !path.endsWith("_pb.ts") && !path.endsWith(".d.ts"),
);
const SOURCES = MODULE_FILES.map((path) => ({
  path,
  text: readFileSync(join(ROOT, path), "utf8"),
}));
const MAP = readFileSync(join(ROOT, "src/README.md"), "utf8");

/** What each top folder may import from: other top folders, and packages. */
const LAYERS: Readonly<
  Record<string, { folders: readonly string[]; packages: readonly string[] }>
> = {
  std: { folders: [], packages: ["node:crypto"] },
  core: { folders: ["std"], packages: [] },
  kernel: {
    folders: ["std"],
    packages: ["@sinclair/typebox", "@sinclair/typebox/value", "pino", "bun"],
  },
  ports: {
    folders: ["core", "kernel", "std"],
    packages: ["kysely", "elysia", "@bufbuild/protobuf", "@sinclair/typebox"],
  },
  modules: {
    folders: ["core", "kernel", "ports", "std", "proto"],
    packages: ["elysia", "kysely", "@bufbuild/protobuf"],
  },
  drivers: { folders: ["core", "kernel", "ports", "std", "proto"], packages: ["*"] },
  proto: { folders: [], packages: ["@bufbuild/protobuf"] },
  "app.ts": { folders: ["modules", "drivers", "kernel"], packages: [] },
  cli: {
    folders: ["app.ts", "kernel", "ports", "core", "std"],
    packages: [
      "pino",
      "commander",
      "node:fs",
      "node:path",
      "node:os",
      "node:process",
      "node:readline",
    ],
  },
  "main.ts": { folders: ["cli"], packages: [] },
};

const CARRIED_TEXT = /^(systemd\/.*\.(service|conf)|scripts\/uninstall\.sh)$/;
/** What a validator will begin with; until there is one, the simulator and the tests do. */
const CONSENSUS_DOORS = ["ed25519", "message-codec", "step", "verify-message"].map(
  (name) => `src/core/consensus/${name}.ts`,
);
const TYPE_ONLY_FOLDERS = ["ports"];
const FILE_LINES_MAX = 400;
const FUNCTION_LINES_MAX = 60;
const CORE_WORDS = [
  /\bDate\.now\b/,
  /\bnew Date\(\)/,
  /\bMath\.random\b/,
  /\basync\b/,
  /\bawait\b/,
  /\bPromise\b/,
  /\bconsole\./,
  /\bprocess\./,
  /\bBun\./,
  /\bfetch\(/,
];
const FILE_WORDS = /(?:^|[-/])(manager|handler|helper|util|common|base)(-|\.ts$)/;

interface Import {
  readonly specifier: string;
  readonly typeOnly: boolean;
}

function walk(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = `${folder}/${entry.name}`;
    return entry.isDirectory() ? walk(path) : [path];
  });
}

function importsOf(text: string): Import[] {
  const found = text.matchAll(
    /^\s*(?:import|export)\s+(type\s)?[^"';]*?from\s+"([^"]+)"|^\s*import\s+"([^"]+)"/gm,
  );
  return [...found].map((match) => ({
    specifier: match[2] ?? match[3] ?? "",
    typeOnly: match[1] !== undefined,
  }));
}

function topOf(path: string): string {
  return path.split("/")[1] ?? "";
}

/** The file an import of ours names, from the root of the repository; undefined for a package. */
function targetOf(from: string, specifier: string): string | undefined {
  if (specifier.startsWith("@/")) return `src/${specifier.slice(2)}`;
  if (!specifier.startsWith(".")) return undefined;
  return join(from, "..", specifier);
}

function faultsOf(path: string, { specifier, typeOnly }: Import): string[] {
  const rule = LAYERS[topOf(path)];
  if (!rule) return [`${path}: no rule for its folder`];
  const target = targetOf(path, specifier);
  if (target === undefined) return packageFaults(path, specifier, rule.packages);
  const top = topOf(target);
  const faults: string[] = [];
  if (top !== topOf(path) && !rule.folders.includes(top))
    faults.push(`${path} may not import ${specifier}`);
  if (top !== topOf(path) && specifier.startsWith("."))
    faults.push(`${path}: write ${specifier} as @/…`);
  if (top === "modules" && topOf(path) === "modules")
    faults.push(...moduleFaults(path, target, typeOnly));
  if (top === "drivers" && topOf(path) === "drivers" && isOtherDriver(path, target))
    faults.push(`${path}: drivers do not know each other (${specifier})`);
  return faults;
}

/** The one file that prints what a system needs takes units and the uninstall script in as text. */
function isCarriedText(path: string, { specifier }: Import): boolean {
  const target = targetOf(path, specifier) ?? "";
  return path === "src/cli/files.ts" && CARRIED_TEXT.test(target);
}

/** What both databases share, and what all who write files share, is no driver. */
const SHARED_BY_DRIVERS = ["sql", "disk"];

/** A driver is a file, a folder, or a file and the folder of its name. */
function isOtherDriver(path: string, target: string): boolean {
  const nameIn = (file: string): string => folderIn(file).replace(/\.ts$/, "");
  return nameIn(path) !== nameIn(target) && !SHARED_BY_DRIVERS.includes(nameIn(target));
}

function packageFaults(path: string, specifier: string, packages: readonly string[]): string[] {
  const allowed = packages.some(
    (name) => name === "*" || specifier === name || specifier.startsWith(`${name}/`),
  );
  return allowed ? [] : [`${path} may not import the package ${specifier}`];
}

function folderIn(path: string): string {
  return path.split("/").slice(2, 3).join("/");
}

function moduleFaults(path: string, target: string, typeOnly: boolean): string[] {
  if (folderIn(path) === folderIn(target)) return [];
  if (!target.endsWith("/service.ts"))
    return [`${path}: only another module's service.ts (${target})`];
  return typeOnly ? [] : [`${path}: another module's service only as a type (${target})`];
}

function cyclesAmong(graph: ReadonlyMap<string, readonly string[]>): string[] {
  const done = new Set<string>();
  const found: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    if (trail.includes(path)) {
      found.push([...trail.slice(trail.indexOf(path)), path].join(" → "));
      return;
    }
    if (done.has(path)) return;
    done.add(path);
    for (const next of graph.get(path) ?? []) visit(next, [...trail, path]);
  };
  for (const path of graph.keys()) visit(path, []);
  return found;
}

/** Lines of each function that starts at the margin or as a method, by its indentation. */
function longFunctions(path: string, text: string): string[] {
  const lines = text.split("\n");
  const faults: string[] = [];
  lines.forEach((line, at) => {
    const match =
      /^(\s*)(?:export )?(?:async )?(?:static )?(?:async )?(?:function\*? )?#?(\w+)(?:<.*>)?\(.*\{$/.exec(
        line,
      );
    if (!match || /\b(if|for|while|switch|catch|return|describe|test)\b/.test(match[2] ?? ""))
      return;
    const end = lines.findIndex((other, index) => index > at && other.startsWith(`${match[1]}}`));
    if (end - at > FUNCTION_LINES_MAX)
      faults.push(`${path}:${at + 1} ${match[2]} has ${end - at} lines`);
  });
  return faults;
}

describe("the house", () => {
  test("every file imports only what its folder may", () => {
    const faults = SOURCES.flatMap(({ path, text }) =>
      importsOf(text)
        .filter((found) => !isCarriedText(path, found))
        .flatMap((found) => faultsOf(path, found)),
    );
    expect(faults).toEqual([]);
  });

  test("no file imports itself over others, types included", () => {
    const graph = new Map(
      SOURCES.map(({ path, text }) => [
        path,
        importsOf(text).flatMap(({ specifier }) => targetOf(path, specifier) ?? []),
      ]),
    );
    expect(cyclesAmong(graph)).toEqual([]);
  });

  test("ports hold types only", () => {
    const faults = SOURCES.filter(({ path }) => TYPE_ONLY_FOLDERS.includes(topOf(path))).flatMap(
      ({ path, text }) => [
        ...importsOf(text)
          .filter(({ typeOnly }) => !typeOnly)
          .map(({ specifier }) => `${path} imports ${specifier} as a value`),
        ...(/^export (const|function|class|let)/m.test(text) ? [`${path} exports a value`] : []),
      ],
    );
    expect(faults).toEqual([]);
  });

  test("core has no clock, dice, promises or I/O", () => {
    const faults = SOURCES.filter(({ path }) => topOf(path) === "core").flatMap(({ path, text }) =>
      withoutComments(text)
        .split("\n")
        .flatMap((line, at) =>
          CORE_WORDS.filter((word) => word.test(line)).map((word) => `${path}:${at + 1} ${word}`),
        ),
    );
    expect(faults).toEqual([]);
  });

  test("files are one idea: at most 400 lines, and functions at most 60", () => {
    const long = SOURCES.flatMap(({ path, text }) => [
      ...(text.split("\n").length > FILE_LINES_MAX
        ? [`${path} has ${text.split("\n").length} lines`]
        : []),
      ...longFunctions(path, text),
    ]);
    expect(long).toEqual([]);
  });

  test("file names say an idea, not a place to put things", () => {
    expect(MODULE_FILES.filter((path) => FILE_WORDS.test(path))).toEqual([]);
  });

  test("there are no barrels", () => {
    const barrels = SOURCES.filter(({ text }) => /^export (\*|\{[^}]*\}) from/m.test(text)).map(
      ({ path }) => path,
    );
    expect(barrels).toEqual([]);
  });

  test("every folder is on the map in src/README.md", () => {
    const folders = new Set(MODULE_FILES.flatMap((path) => path.split("/").slice(1, -1)));
    const onMap = [...MAP.matchAll(/^ {2,}([a-z]+)\//gm)].map((match) => match[1]);
    expect([...folders].filter((folder) => !onMap.includes(folder))).toEqual([]);
  });

  test("no file is an orphan", () => {
    const used = new Set(
      SOURCES.flatMap(({ path, text }) =>
        [...importsOf(text).map(({ specifier }) => specifier), ...dynamicImports(text)].flatMap(
          (specifier) => targetOf(path, specifier) ?? [],
        ),
      ),
    );
    const unused = MODULE_FILES.filter((path) => path !== "src/main.ts" && !used.has(path));
    expect(unused).toEqual(CONSENSUS_DOORS);
  });

  test("nobody but the command line and the drivers reads the environment", () => {
    const readers = SOURCES.filter(
      ({ path }) => !["cli", "drivers", "main.ts"].includes(topOf(path)),
    )
      .filter(({ text }) => /process\.env|Bun\.env/.test(withoutComments(text)))
      .map(({ path }) => path);
    expect(readers).toEqual([]);
  });

  test("the top level holds what it should and nothing else", () => {
    const allowed = [
      "package.json",
      "package-lock.json",
      "bunfig.toml",
      "tsconfig.json",
      "src",
      "systemd",
      "scripts",
      "test",
      "Dockerfile.arm64",
      "README.md",
      "LICENSE",
    ];
    const tracked = Bun.spawnSync(["git", "ls-files"], { cwd: ROOT }).stdout.toString();
    const tops = new Set(
      tracked
        .split("\n")
        .filter(Boolean)
        .map((path) => path.split("/")[0] ?? ""),
    );
    expect([...tops].filter((top) => !top.startsWith(".") && !allowed.includes(top))).toEqual([]);
  });
});

function withoutComments(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, " "))
    .replace(/\/\/.*$/gm, "");
}

function dynamicImports(text: string): string[] {
  return [...text.matchAll(/import\("([^"]+)"\)/g)].map((match) => match[1] ?? "");
}
