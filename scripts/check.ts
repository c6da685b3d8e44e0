/**
 * Everything that must be green before a commit: types, lint, unused code, tests (tidy, unit, contract,
 * simulation seeds, end to end with the compiled executable). `--fast` leaves out the end to end tests.
 */

interface Step {
  readonly name: string;
  readonly command: readonly string[];
}

const BUN = process.execPath;
const fast = process.argv.includes("--fast");
const steps: readonly Step[] = [
  { name: "types", command: [BUN, "x", "tsc", "--noEmit"] },
  {
    name: "lint",
    command: [
      BUN,
      "x",
      "biome",
      "check",
      "--error-on-warnings",
      "--config-path=scripts/lint.json",
      ".",
    ],
  },
  { name: "unused", command: [BUN, "x", "knip", "--no-progress"] },
  {
    name: "core coverage",
    command: [BUN, "test", "--coverage", "--config=scripts/coverage.toml", "test/core"],
  },
  ...(fast
    ? []
    : [
        { name: "simulation", command: [BUN, "scripts/sim.ts", "--seeds", "2000"] },
        {
          name: "executable",
          command: [BUN, "scripts/build.ts", "--only", process.arch === "arm64" ? "arm64" : "x64"],
        },
      ]),
  {
    name: "tests",
    command: [
      BUN,
      "scripts/test.ts",
      ...(fast
        ? [
            "test/core",
            "test/kernel",
            "test/modules",
            "test/drivers",
            "test/ports",
            "test/units",
            "test/tidy.test.ts",
          ]
        : []),
    ],
  },
];

for (const step of steps) {
  const from = performance.now();
  console.log(`\n== ${step.name}`);
  const run = Bun.spawnSync([...step.command], { stdio: ["ignore", "inherit", "inherit"] });
  const seconds = ((performance.now() - from) / 1000).toFixed(1);
  if (run.exitCode !== 0) {
    console.error(`== ${step.name}: FAILED in ${seconds} s`);
    process.exit(1);
  }
  // The tests end with the line that counts them, and so does the check.
  if (step !== steps.at(-1)) console.log(`== ${step.name}: ok in ${seconds} s`);
}
