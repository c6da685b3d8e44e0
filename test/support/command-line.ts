import { spyOn } from "bun:test";
import { run } from "@/cli/program.ts";
import type { Ran } from "./executable.ts";

/** Runs one command line in this process, and takes down what it says. */
export async function typed(...words: readonly string[]): Promise<Ran> {
  const said = { stdout: "", stderr: "" };
  const out = spyOn(process.stdout, "write").mockImplementation((text) => {
    said.stdout += String(text);
    return true;
  });
  const err = spyOn(process.stderr, "write").mockImplementation((text) => {
    said.stderr += String(text);
    return true;
  });
  const error = spyOn(console, "error").mockImplementation((...text) => {
    said.stderr += `${text.join(" ")}\n`;
  });
  try {
    return { code: await run(words), ...said };
  } finally {
    for (const spy of [out, err, error]) spy.mockRestore();
  }
}
