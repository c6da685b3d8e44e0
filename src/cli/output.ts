/** One cell of a table. */
export type Cell = string | number | null | undefined;

const DASH = "–";

/** Everything a command says on standard output goes through here. */
export const print = {
  line(text: string): void {
    process.stdout.write(`${text}\n`);
  },

  /** One JSON document with a schema version, for programs. */
  json(document: Readonly<Record<string, unknown>>): void {
    process.stdout.write(`${JSON.stringify({ schema_version: 1, ...document }, null, 2)}\n`);
  },

  /** Names and values, one a line, aligned. */
  facts(facts: readonly (readonly [string, Cell])[]): void {
    const width = Math.max(...facts.map(([name]) => name.length));
    for (const [name, value] of facts) print.line(`  ${name.padEnd(width)}  ${cellText(value)}`);
  },

  /** A table with a head; columns as wide as their widest cell. */
  table(head: readonly string[], rows: readonly (readonly Cell[])[]): void {
    const texts = [head, ...rows.map((row) => row.map(cellText))];
    const widths = head.map((_, at) => Math.max(...texts.map((row) => (row[at] ?? "").length)));
    for (const row of texts) {
      print.line(
        row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join("  ")
          .trimEnd(),
      );
    }
  },
};

/** Whoever reads may have had enough (`| head`): then the command is simply over. */
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  process.stderr.write(`galaxy-pool: What was done cannot be told: ${error.message}.\n`);
  process.stderr.write("  code: cli.output\n");
  process.exit(1);
});

function cellText(value: Cell): string {
  return value === null || value === undefined || value === "" ? DASH : String(value);
}

/** Who reads our output may have read enough (`… | head`): that is no fault of anybody. */
export function endWithReader(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    process.exit(0);
  });
}

/** A word as a shell takes it. */
export function asTyped(word: string): string {
  return /^[\w./:@%+=,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
