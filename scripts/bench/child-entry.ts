import type { Asks, Question, Reply } from "./child.ts";

/** What runs in a child of the bench: calls an export of a file and answers with what it returns. */

const [file = "", name = ""] = process.argv.slice(2);
let asks: Asks | undefined;

process.on("message", (question: Question) => void answer(question));
process.on("disconnect", () => process.exit(0));

async function answer({ id, name: asked, terms }: Question): Promise<void> {
  try {
    tell({ id, value: await act(asked, terms) });
  } catch (error) {
    const problem = error instanceof Error ? (error.stack ?? error.message) : String(error);
    tell({ id, problem: `${asked} in ${file}: ${problem}` });
  }
}

async function act(asked: string, terms: unknown): Promise<unknown> {
  if (asked !== "open") return asks?.[asked]?.(terms as never);
  const opened = (await import(file)) as Record<string, (terms: unknown) => Promise<Asks>>;
  asks = await opened[name]?.(terms);
  return undefined;
}

function tell(reply: Reply): void {
  process.send?.(reply);
}
