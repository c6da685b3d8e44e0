import { beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { executable } from "#test/support/executable.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { type Bundled, bundledPackages } from "../../scripts/releasing/bundled.ts";
import { refuseOtherVersion, refusePaths } from "../../scripts/releasing/executables.ts";
import { isAllowed, thirdPartyLicences } from "../../scripts/releasing/licences.ts";
import { namesIn, refuseFaulty, sbomOf } from "../../scripts/releasing/sbom.ts";
import { writeRuntimePackages } from "../../scripts/releasing/source.ts";
import { ROOT, VERSION } from "./made-release.ts";

const MAKE_MS = 60_000;
const SOURCE = { folder: ROOT, commit: "", dirty: [], packageVersion: VERSION, epoch: "0" };

/**
 * The packages of the executable by another way than the release takes: the sources of its source map,
 * and what is imported as text, which has no place there.
 */
async function mappedPackages(): Promise<ReadonlySet<string>> {
  const built = await Bun.build({
    entrypoints: [join(ROOT, "src/main.ts")],
    target: "bun",
    minify: true,
    sourcemap: "external",
    define: { "process.env.NODE_ENV": '"production"' },
  });
  const map = built.outputs.find(({ kind }) => kind === "sourcemap");
  const { sources } = JSON.parse((await map?.text()) ?? "{}") as { sources: string[] };
  const texts = ["node_modules/swagger-ui-dist/swagger-ui.css"];
  return new Set([...sources, ...texts].flatMap(packageOf));
}

function packageOf(source: string): string[] {
  const after = source.split("node_modules/").at(-1) ?? "";
  if (after === source) return [];
  const home = source.slice(0, source.length - after.length);
  const path = after
    .split("/")
    .slice(0, after.startsWith("@") ? 2 : 1)
    .join("/");
  const manifest = join(ROOT, home.slice(home.indexOf("node_modules/")), path, "package.json");
  const { name, version } = JSON.parse(readFileSync(manifest, "utf8"));
  return [`${name}@${version}`];
}

let bundled: readonly Bundled[];
let mapped: ReadonlySet<string>;
let sbom: string;
beforeAll(async () => {
  using folder = temporaryFolder();
  writeRuntimePackages(SOURCE, folder.path, "7.8.9");
  [bundled, mapped] = await Promise.all([bundledPackages(ROOT), mappedPackages()]);
  sbom = await sbomOf(folder.path, bundled);
}, MAKE_MS);

describe("the SBOM", () => {
  test("names every package of the executable and Bun, and none that is only for development", () => {
    const named = namesIn(sbom);
    expect(mapped.size).toBeGreaterThan(50);
    expect([...named].sort()).toEqual([...mapped, `bun@${Bun.version}`].sort());
    expect(sbom).not.toMatch(/"name": "(knip|biome|fast-check|cyclonedx-npm-cli)"/);
    expect(sbom).not.toContain(tmpdir());
    expect(JSON.parse(sbom).metadata.component).toMatchObject({
      purl: "pkg:npm/galaxy-pool@7.8.9",
      version: "7.8.9",
    });
  });

  test("names what a package carries inside its files, in versions nobody tells", () => {
    const { components } = JSON.parse(sbom);
    const [ui] = components.filter(({ name }: { name: string }) => name === "swagger-ui-dist");
    expect(ui.components).toContainEqual({
      type: "library",
      name: "react",
      "bom-ref": `swagger-ui-dist@${ui.version}|react`,
      purl: "pkg:npm/react",
    });
    expect(ui.components).toContainEqual(
      expect.objectContaining({
        group: "@babel",
        name: "runtime",
        purl: "pkg:npm/%40babel/runtime",
      }),
    );
  });

  test.each([
    ["lacks a package of the executable", "tslib", "The SBOM does not name tslib@"],
    ["breaks the schema", undefined, "The SBOM breaks its schema: "],
  ])("that %s is refused", async (_, without, said) => {
    const document = JSON.parse(sbom);
    const components = document.components as { name: string }[];
    if (without === undefined) document.metadata = "none";
    document.components = components.filter(({ name }) => name !== without);
    await expect(refuseFaulty(JSON.stringify(document), bundled)).rejects.toThrow(said);
  });
});

describe("the licence list", () => {
  test("has every package of the executable with its text, and Bun's", () => {
    const list = thirdPartyLicences(ROOT, bundled);
    const texts = new Map(
      list
        .split(`${"=".repeat(80)}\n`)
        .slice(1)
        .map((part, at, all) => [part.trim(), at % 2 === 0 ? (all[at + 1] ?? "") : ""] as const),
    );
    const known = bundled.map(({ name, version, license }) => ({
      at: `${name}@${version}`,
      text: texts.get(`${name} ${version}  ${license}`) ?? "",
    }));
    expect([...mapped].filter((one) => !known.some(({ at }) => at === one))).toEqual([]);
    expect(known.filter(({ text }) => !/copyright|warrant/i.test(text))).toEqual([]);
    expect(texts.get(`Bun ${Bun.version}  MIT and others`)).toMatch(/JavaScriptCore.*LGPL-2/);
    const ui = known.find(({ at }) => at.startsWith("swagger-ui-dist@"))?.text ?? "";
    expect(ui).toMatch(/parts of these packages: .* dompurify, .* react, .* zenscroll\.\s*$/s);
  });

  test.each([
    ["MIT", true],
    ["(MIT OR GPL-3.0-only)", true],
    ["Apache-2.0 AND BSD-3-Clause", true],
    ["Apache-2.0 AND SSPL-1.0", false],
    ["GPL-3.0-only", false],
    ["MIT OR (", false],
    ["SEE LICENSE IN FILE", false],
    ["", false],
  ])("may hold %j: %p", (license, allowed) => {
    expect(isAllowed(license)).toBe(allowed);
  });

  test.each([
    ["of a licence that is not allowed", "SSPL-1.0", "stranger 1.0.0: SSPL-1.0"],
    ["that names no licence", "", "stranger 1.0.0: names no licence"],
    ["without a text", "MIT", "stranger 1.0.0 (MIT) comes without its licence text."],
  ])("is refused for a package %s", (_, license, said) => {
    using folder = temporaryFolder();
    mkdirSync(join(folder.path, "stranger"));
    const stranger = {
      path: "stranger",
      name: "stranger",
      version: "1.0.0",
      license,
      files: [],
      holds: [],
    };
    expect(() => thirdPartyLicences(folder.path, [stranger])).toThrow(said);
  });
});

describe("the executable", () => {
  test(
    "says the version of package.json and tells nothing of where and by whom it was built",
    async () => {
      const built = await executable();
      refuseOtherVersion(built, VERSION);
      refusePaths(built, [ROOT, homedir()]);
    },
    MAKE_MS,
  );

  test("that holds the path of a folder is refused, but not for Bun's own names", () => {
    using folder = temporaryFolder();
    const file = join(folder.path, "executable");
    writeFileSync(file, "\0/$bunfs/root/galaxy-pool\0B:/~BUN/root/galaxy-pool");
    expect(() => refusePaths(file, ["/root"])).not.toThrow();
    writeFileSync(file, "\0/$bunfs/root/galaxy-pool\0/root/secret.ts\0");
    expect(() => refusePaths(file, ["/root"])).toThrow(`${file} holds the path /root.`);
  });
});
