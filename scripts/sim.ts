import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { type BatchSum, commandOf, termsOf } from "#test/sim/consensus/batch.ts";
import { theCore } from "#test/sim/consensus/core.ts";
import { runOnAllCores } from "#test/sim/consensus/crew.ts";
import { figuresOf } from "#test/sim/consensus/figures.ts";
import { mutantCore } from "#test/sim/consensus/mutant-core.ts";
import { MUTANTS } from "#test/sim/consensus/mutants.ts";
import { reportOf } from "#test/sim/consensus/report.ts";
import { type RunTerms, run } from "#test/sim/consensus/run.ts";
import { allStories } from "#test/sim/consensus/stories.ts";
import { tellStory } from "#test/sim/consensus/story.ts";
import { misused, whole } from "./arguments.ts";

/**
 * Simulates the consensus core: `sim [--from 0] [--seeds 2000] [--nodes N] [--twins] [--mutant NAME]
 * [--replay SEED]`; `sim --rewrite` tells the stories of test/transcripts anew. Everything follows from
 * the seed. The last line is `N seeds, N events, N violations`; ends with 4 when there are violations, and
 * then says how to run them again, and with 2 when it does not understand what is wanted.
 */

const VIOLATED = 4;
const USAGE =
  "sim [--from N] [--seeds N] [--nodes 1..100] [--twins] [--mutant NAME] [--replay SEED] [--rewrite]";
/** Validators an epoch may have, and the fewest of which one may have a twin. */
const NODES_MAX = 100;
const TWINS_NODES_MIN = 4;
/** Seeds are numbers of 32 bits. */
const SEED_MAX = 2 ** 31;

interface Given {
  readonly from: number;
  readonly seeds: number;
  readonly nodes: number | null;
  readonly isTwins: boolean;
  readonly replay: number | null;
  readonly mutant: string | null;
  readonly rewrite: boolean;
}

/** What is wanted; throws an error that says what cannot be understood. */
function read(args: readonly string[]): Given {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  const { values } = parseArgs({
    args: [...args],
    options: {
      from: { ...text, default: "0" },
      seeds: { ...text, default: "2000" },
      nodes: text,
      replay: text,
      mutant: text,
      twins: flag,
      rewrite: flag,
    },
  });
  const { from, seeds, nodes, replay, mutant = null, twins: isTwins, rewrite } = values;
  const least = isTwins ? TWINS_NODES_MIN : 1;
  return {
    from: whole("--from", from, { most: SEED_MAX }),
    seeds: whole("--seeds", seeds, { most: SEED_MAX }),
    nodes: nodes === undefined ? null : whole("--nodes", nodes, { least, most: NODES_MAX }),
    replay: replay === undefined ? null : whole("--replay", replay, { most: SEED_MAX }),
    isTwins,
    mutant,
    rewrite,
  };
}

function understood(): Given {
  try {
    return read(process.argv.slice(2));
  } catch (thrown) {
    process.exit(misused(thrown, USAGE));
  }
}

const given = understood();
process.exitCode = await main(given);

async function main({ mutant, replay, rewrite }: Given): Promise<number> {
  if (rewrite) return rewriteStories();
  if (mutant !== null) return huntMutant(mutant, replay);
  if (replay !== null) return show(termsOf(replay, given));
  return simulate();
}

async function simulate(): Promise<number> {
  const from = performance.now();
  const { seeds } = given;
  const sum = await runOnAllCores({ ...given, to: given.from + seeds }, (soFar) =>
    progress(soFar, (performance.now() - from) / 1_000),
  );
  if (process.stderr.isTTY) process.stderr.write("\n");
  for (const report of sum.reports) console.log(`${report}\n`);
  for (const line of figuresOf(sum, (performance.now() - from) / 1_000)) console.log(line);
  return sum.violations > 0 ? VIOLATED : 0;
}

function progress(sum: BatchSum, seconds: number): void {
  const rate = (count: number): string => (count / seconds).toFixed(0);
  const line =
    `${sum.seeds} of ${given.seeds} seeds, ${rate(sum.seeds)} seeds/s, ` +
    `${rate(sum.tally.events)} events/s, ${sum.violations} violations`;
  if (process.stderr.isTTY) process.stderr.write(`\r${line} `);
  else if (sum.seeds % 500 === 0) console.log(line);
}

/** Runs one seed again and shows it, broken or not. */
function show(terms: RunTerms): number {
  const outcome = run(terms);
  const { violation, tally, options } = outcome;
  const { mutant } = given;
  const command = commandOf(terms.seed, given) + (mutant ? ` --mutant "${mutant}"` : "");
  if (violation) console.log(reportOf(terms, outcome, command));
  else {
    console.log(JSON.stringify(options));
    for (const line of outcome.lastEvents()) console.log(line);
  }
  console.log(`1 seeds, ${tally.events} events, ${violation ? 1 : 0} violations`);
  return violation ? VIOLATED : 0;
}

/** Looks for a seed that catches a bug that was put in on purpose. */
async function huntMutant(name: string, replay: number | null): Promise<number> {
  const mutant = MUTANTS.find((one) => one.name === name);
  if (!mutant)
    return misused(
      `There is no mutant "${name}". ${MUTANTS.map((one) => one.name).join(", ")}`,
      USAGE,
    );
  const core = await mutantCore(mutant.patches ?? []);
  const { bugs, fixed } = mutant;
  const terms = (seed: number): RunTerms => ({
    seed,
    core,
    ...(bugs && { bugs }),
    ...(fixed && { fixed }),
  });
  if (replay !== null) return show(terms(replay));
  let events = 0;
  for (let seed = given.from; seed < given.from + given.seeds; seed++) {
    const { violation, tally } = run(terms(seed));
    events += tally.events;
    if (!violation) continue;
    console.log(`seed ${seed}: ${violation.message}`);
    console.log(`${seed - given.from + 1} seeds, ${events} events, 1 violations`);
    return VIOLATED;
  }
  console.log(`${given.seeds} seeds, ${events} events, 0 violations`);
  return 0;
}

/** What has changed in a story is to be read before it is committed. */
function rewriteStories(): number {
  for (const { name, path, text } of allStories()) {
    const told = tellStory(text, theCore);
    if (told !== text) console.log(`${name} is another one now`);
    writeFileSync(path, told);
  }
  return 0;
}
