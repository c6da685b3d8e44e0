import { Refusal } from "./refusal.ts";

interface Surroundings {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** The command may ask the person at the terminal, for a password. */
  readonly asks?: boolean;
}

/** Runs a program to its end and gives what it printed; one that fails refuses the release. */
export function run(command: readonly string[], surroundings: Surroundings = {}): string {
  const { cwd, env = process.env, asks = false } = surroundings;
  const [program = ""] = command;
  if (Bun.which(program) === null)
    throw new Refusal(`The release needs ${program}, and it is not installed.`);
  const ran = Bun.spawnSync([...command], {
    ...(cwd === undefined ? {} : { cwd }),
    env,
    stdio: [asks ? "inherit" : "ignore", "pipe", asks ? "inherit" : "pipe"],
  });
  if (ran.exitCode === 0) return ran.stdout.toString();
  const said = `${ran.stderr ?? ""}${ran.stdout}`.trim();
  throw new Refusal(`"${command.slice(0, 3).join(" ")} …" failed with ${ran.exitCode}:\n${said}`);
}
