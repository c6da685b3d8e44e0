import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bunLicences } from "./bun-runtime.ts";
import type { Bundled } from "./bundled.ts";
import { Refusal } from "./refusal.ts";

/** What may be in the executable: licences that ask for their text to be passed on, and no more. */
const ALLOWED: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "BlueOak-1.0.0",
  "CC0-1.0",
  "ISC",
  "MIT",
  "MIT-0",
  "Unlicense",
  "Zlib",
]);

/** Texts of packages that are published without one, gathered from the heads of their files. */
const SUPPLEMENTS: Readonly<Record<string, string>> = {
  "@bufbuild/protobuf": "bufbuild-protobuf.txt",
};

const TEXTS = join(import.meta.dir, "texts");
const TEXT_FILE = /^(licen[cs]e|copying|notice|copyrightnotice)([.-].*)?$/i;
const RULE = "=".repeat(80);

/** THIRD-PARTY-LICENSES.txt: each package with its licence, then what is linked into Bun. */
export function thirdPartyLicences(folder: string, packages: readonly Bundled[]): string {
  refuseLicences(packages);
  const head =
    `galaxy-pool is MIT licensed. Its executables also hold these ${packages.length} packages and\n` +
    "the runtime they are run by, Bun. Each is listed with its licence and its text.\n";
  const list = packages.map(({ name, version, license }) => `${name} ${version}  ${license}\n`);
  const texts = packages.map((one) =>
    section(titleOf(one), `${textOf(folder, one)}${heldBy(one)}`),
  );
  const bun = section(`Bun ${Bun.version}  MIT and others`, bunLicences());
  return [head, "\n", ...list, ...texts, bun].join("");
}

/** Refuses the release when a package may not be passed on, or nobody looked whether it may. */
function refuseLicences(packages: readonly Bundled[]): void {
  const refused = packages
    .filter(({ license }) => !isAllowed(license))
    .map((one) => `\n  ${one.name} ${one.version}: ${one.license || "names no licence"}`);
  if (refused.length > 0)
    throw new Refusal(`These licences are not on the list of allowed ones:${refused.join("")}`);
}

/** Whether an SPDX expression of ids, AND and OR allows it; one without nested brackets. */
export function isAllowed(expression: string): boolean {
  const plain = expression.trim().replace(/^\((.*)\)$/, "$1");
  if (/[()]/.test(plain)) return false;
  return plain
    .split(/\s+OR\s+/)
    .some((choice) => choice.split(/\s+AND\s+/).every((id) => ALLOWED.has(id)));
}

function textOf(folder: string, one: Bundled): string {
  const home = join(folder, one.path);
  const beside = one.files.map((file) => `${file}.LICENSE.txt`);
  const names = readdirSync(home).filter((name) => TEXT_FILE.test(name));
  const found = [...names.sort(), ...beside.filter((name) => existsSync(join(home, name)))];
  if (found.length > 0)
    return found.map((name) => readFileSync(join(home, name), "utf8").trim()).join("\n\n");
  const supplement = SUPPLEMENTS[one.name];
  if (supplement !== undefined) return readFileSync(join(TEXTS, supplement), "utf8");
  throw new Refusal(`${one.name} ${one.version} (${one.license}) comes without its licence text.`);
}

function heldBy({ holds }: Bundled): string {
  return holds.length === 0
    ? ""
    : `\n\nIts files hold parts of these packages: ${holds.join(", ")}.\n`;
}

function titleOf({ name, version, license }: Bundled): string {
  return `${name} ${version}  ${license}`;
}

function section(title: string, text: string): string {
  const lines = text.replaceAll("\r\n", "\n").trim();
  return `\n${RULE}\n${title}\n${RULE}\n\n${lines}\n`;
}
