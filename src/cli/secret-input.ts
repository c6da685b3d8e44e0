import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { PoolError } from "@/std/errors.ts";

/**
 * Secrets by name: asked for on a terminal, without showing what is typed; else the lines of standard
 * input, in this order. They never stand on the command line, where everybody reads them.
 */
export async function readSecrets(names: readonly string[]): Promise<readonly string[]> {
  if (process.stdin.isTTY) return askFor(names);
  const lines = readFileSync(0, "utf8").split(/\r?\n/);
  return names.map((name, at) => lines[at] || refuse(name, names));
}

async function askFor(names: readonly string[]): Promise<readonly string[]> {
  const asked: string[] = [];
  for (const name of names) asked.push(await askOne(name));
  return asked;
}

/** The terminal shows the question, and nothing of the answer. */
function askOne(name: string): Promise<string> {
  process.stderr.write(`${name}: `);
  const lines = createInterface({ input: process.stdin, terminal: true });
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  lines.once("line", resolve);
  lines.once("SIGINT", () => reject(missing(name)));
  lines.once("close", () => reject(missing(name)));
  return promise.finally(() => {
    process.stderr.write("\n");
    lines.close();
  });
}

function refuse(name: string, names: readonly string[]): never {
  throw missing(name, names);
}

function missing(name: string, names: readonly string[] = [name]): PoolError {
  const message = `${name[0]?.toUpperCase()}${name.slice(1)} is missing. Type it when asked, or give on standard input, a line each: ${names.join(", ")}.`;
  return new PoolError("invalid", "cli.invalid", message);
}
