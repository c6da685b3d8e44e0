import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join } from "node:path";
import { closing } from "./bench/closing.ts";
import { consensus } from "./bench/consensus.ts";
import { idle, ready, resident } from "./bench/executable.ts";
import {
  type BenchOptions,
  type Figure,
  type Measured,
  missedBy,
  ratioOf,
  shown,
} from "./bench/figure.ts";
import { stream, unary } from "./bench/heartbeats.ts";
import { memory } from "./bench/memory.ts";
import { nodeList } from "./bench/node-list.ts";
import { overload } from "./bench/overload.ts";
import { registrations } from "./bench/registrations.ts";
import { written } from "./bench/written.ts";

/**
 * Measures this pool beside what it is compared with, and prints a table: `--only NAME` (may be
 * repeated), `--json`, `--short`, `--database postgres`. Figures are no tests: the exit code is 0
 * unless something crashed.
 */

const [began] = loadavg().map((load) => load.toFixed(1));
const FIGURES: readonly Figure[] = [
  unary,
  stream,
  nodeList,
  registrations,
  closing,
  overload,
  memory,
  resident,
  ready,
  idle,
  written,
  consensus,
];

async function bench(words: readonly string[]): Promise<void> {
  const only = valuesOf(words, "--only");
  const figures = FIGURES.filter(({ name }) => only.length === 0 || only.includes(name));
  const unknown = only.find((name) => !FIGURES.some((figure) => figure.name === name));
  if (unknown !== undefined) throw new Error(`no figure ${unknown}; there are ${names()}`);
  // Not /tmp: it is often memory, and the disk is part of what is measured.
  const folder = mkdtempSync(join(process.env["TMPDIR"] ?? "/var/tmp", "galaxy-bench-"));
  chmodSync(folder, 0o711);
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(130));
  const database = valuesOf(words, "--database")[0] === "postgres" ? "postgres" : "sqlite";
  const options = { short: words.includes("--short"), database, folder } as const;
  const results = await measureAll(figures, options);
  tell(results, words.includes("--json"));
}

/** A figure that crashes takes nothing from the others; it only decides the exit code. */
async function measureAll(figures: readonly Figure[], options: BenchOptions) {
  const results: Measured[] = [];
  for (const figure of figures) {
    const beganMs = performance.now();
    try {
      results.push(...(await figure.measure(options)));
    } catch (error) {
      process.exitCode = 1;
      console.error(`${figure.name} crashed:`, error);
    }
    const seconds = Math.round((performance.now() - beganMs) / 1000);
    console.error(`${figure.name}: ${seconds} s`);
  }
  return results;
}

function tell(results: readonly Measured[], asJson: boolean): void {
  const machine = `${cpus().length} cores (${cpus()[0]?.model}), ${process.arch}, Bun ${Bun.version}, load ${began} at the start`;
  if (asJson) {
    const rows = results.map((one) => ({ ...one, ratio: ratioOf(one), missed_by: missedBy(one) }));
    console.log(JSON.stringify({ schema_version: 1, machine, figures: rows }, undefined, 2));
    return;
  }
  console.log(`On ${machine}\n`);
  const rows = results.map(rowOf);
  const head = ["figure", "value", "baseline", "ratio", "goal", ""];
  const widths = head.map((_, at) =>
    Math.max(...[head, ...rows].map((row) => (row[at] ?? "").length)),
  );
  for (const row of [head, ...rows]) {
    console.log(
      row
        .map((cell, at) => cell.padEnd(widths[at] ?? 0))
        .join("  ")
        .trimEnd(),
    );
  }
  console.log("\nHow it was measured");
  for (const { name, notes } of results) {
    console.log(`- ${name}: ${notes.join("; ")}`);
  }
}

function rowOf(one: Measured): string[] {
  const ratio = ratioOf(one);
  const missed = missedBy(one);
  const { least, most, of } = one.goal;
  const bound = least === undefined ? `≤ ${most}` : `≥ ${least}`;
  return [
    one.name,
    `${shown(one.value)} ${one.unit}`,
    one.baseline ? `${shown(one.baseline.value)} ${one.unit} (${one.baseline.name})` : "",
    ratio === undefined ? "" : ratio.toFixed(2),
    of === "ratio" ? `${bound} ×` : `${bound} ${one.unit}`,
    missed === undefined ? "met" : `missed by ${missed.toFixed(2)} ×`,
  ];
}

function valuesOf(words: readonly string[], flag: string): string[] {
  return words.flatMap((word, at) => (word === flag ? [words[at + 1] ?? ""] : []));
}

function names(): string {
  return FIGURES.map(({ name }) => name).join(", ");
}

await bench(process.argv.slice(2));
process.exit();
