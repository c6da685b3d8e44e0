import { readFileSync } from "node:fs";
import { join } from "node:path";
import { demand } from "./report.ts";

const FILE = join(import.meta.dir, "../../README.md");
/** Where the README takes the release from; on a machine of the harness the local server stands in. */
const PUBLIC_URL = "https://github.com/castle-palette/galaxy-node-pool/releases";

/** The command lines README.md tells a person to type, so that exactly these are tried. */
export class Readme {
  readonly #sections: ReadonlyMap<string, readonly string[]>;
  readonly #base: string;

  private constructor(text: string, base: string) {
    this.#sections = sectionsIn(text);
    this.#base = base;
  }

  /** Reads the lines, with the local server's address in place of the public one. */
  static read(base: string): Readme {
    return new Readme(readFileSync(FILE, "utf8"), base);
  }

  /** The only line of a section in which all these words occur, and none of `without`. */
  line(section: string, words: readonly string[], without: readonly string[] = []): string {
    const lines = this.lines(section).filter(
      (line) =>
        words.every((word) => line.includes(word)) && !without.some((word) => line.includes(word)),
    );
    const [line] = lines;
    demand(
      line !== undefined && lines.length === 1,
      `one line with "${words.join(" ")}" under "${section}" of README.md`,
      lines,
    );
    return line;
  }

  /** Every command line of a section. */
  lines(section: string): readonly string[] {
    const lines = this.#sections.get(section) ?? [];
    demand(lines.length > 0, `command lines under "${section}" of README.md`);
    return lines.map((line) => line.replaceAll(PUBLIC_URL, this.#base));
  }
}

/** Puts NAME=value words before what a `curl … | sudo sh` line runs. */
export function withEnvironment(line: string, words: readonly string[]): string {
  demand(line.includes("| sudo "), "a line that pipes into sudo", line);
  return words.length === 0 ? line : line.replace("| sudo ", `| sudo ${words.join(" ")} `);
}

/** Puts options behind a `curl … | sudo sh` line. */
export function withOptions(line: string, words: readonly string[]): string {
  return words.length === 0 ? line : `${line} -s -- ${words.join(" ")}`;
}

/** Code is indented by four spaces; what follows two spaces and a # is a remark. */
function sectionsIn(text: string): ReadonlyMap<string, readonly string[]> {
  const sections = new Map<string, string[]>();
  let lines: string[] = [];
  for (const line of text.split("\n")) {
    const title = /^## (.+)$/.exec(line)?.[1];
    if (title !== undefined) {
      lines = [];
      sections.set(title, lines);
    } else if (/^ {4}\S/.test(line)) lines.push(line.trim().replace(/\s{2,}#.*$/, ""));
  }
  return sections;
}
