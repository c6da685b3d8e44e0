/**
 * Runs all tests and ends with one line `N passed, N failed, N skipped`. Arguments are passed to
 * `bun test` (paths, --test-name-pattern …). A test is given up after 30 s, for machines are busy; what
 * takes longer by itself says so.
 */

const given = process.argv.slice(2);
const needs = Bun.spawnSync(["sh", "scripts/needs.sh"], {
  stdio: ["ignore", "inherit", "inherit"],
});
if (needs.exitCode !== 0) console.error("Some tests will fail for want of Debian packages.");
const report = `${process.env["TMPDIR"] ?? "/tmp"}/galaxy-pool-tests-${process.pid}.xml`;
const tests = Bun.spawn(
  [
    process.execPath,
    "test",
    "--timeout=30000",
    "--reporter=junit",
    `--reporter-outfile=${report}`,
    ...given,
  ],
  { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, NODE_ENV: "test" } },
);
const code = await tests.exited;
const counts = await countsOf(report);
await Bun.file(report)
  .delete()
  .catch(() => {});
console.log(`${counts.passed} passed, ${counts.failed} failed, ${counts.skipped} skipped`);
process.exit(code !== 0 || counts.failed > 0 || counts.passed === 0 ? 1 : 0);

async function countsOf(
  path: string,
): Promise<{ passed: number; failed: number; skipped: number }> {
  const xml = await Bun.file(path)
    .text()
    .catch(() => "");
  const head = /<testsuites[^>]*>/.exec(xml)?.[0] ?? "";
  const figure = (name: string): number =>
    Number(new RegExp(` ${name}="(\\d+)"`).exec(head)?.[1] ?? 0);
  const [tests, failures, skipped] = [figure("tests"), figure("failures"), figure("skipped")];
  return { passed: tests - failures - skipped, failed: failures, skipped };
}

export {};
