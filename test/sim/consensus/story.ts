import type { Core } from "./core.ts";
import type { Bugs } from "./simulation.ts";
import { LIAR_COMMANDS } from "./story-liar-commands.ts";
import { Story } from "./story-teller.ts";
import { WORLD_COMMANDS } from "./story-world-commands.ts";
import { Violation } from "./violation.ts";

/**
 * A story as text: prose behind `#`, commands behind `>`, and below each command, indented by two,
 * what it led to. `tell` gives the same text with what really happens.
 */
export function tellStory(text: string, core: Core, bugs: Bugs = {}): string {
  const told: string[] = [];
  const story = new Story(core, bugs);
  for (const line of text.split("\n")) {
    if (line.startsWith("  ")) continue;
    told.push(line);
    if (line.startsWith("> "))
      told.push(...tellLine(story, line.slice(2)).map((said) => `  ${said}`));
  }
  return told.join("\n");
}

/** Does what a line says; what comes of it, a broken promise too, is what is told. */
function tellLine(story: Story, line: string): readonly string[] {
  if (story.isBroken) return [];
  if (line.startsWith("quietly "))
    return outcomesIn(tellLine(story, line.slice("quietly ".length)));
  const [name = "", ...words] = line.trim().split(/\s+/);
  const command = WORLD_COMMANDS[name] ?? LIAR_COMMANDS[name];
  if (!command) throw new Error(`a story knows no "${name}"`);
  try {
    command(story, words);
    if (name !== "replicas") story.settle();
  } catch (thrown) {
    if (!(thrown instanceof Error) || !isBreach(thrown)) throw thrown;
    story.isBroken = true;
    story.world.tell(`BROKEN ${thrown.message}`);
  }
  return story.world.told.splice(0);
}

/** A promise of the protocol, or one of the code to itself. */
function isBreach(thrown: Error): boolean {
  return thrown instanceof Violation || thrown.name === "AssertionError";
}

/** Only what cannot be taken back: commits, ends of epochs, evidence, alarms. */
function outcomesIn(told: readonly string[]): readonly string[] {
  let who = "";
  const outcomes: string[] = [];
  for (const line of told) {
    if (!line.startsWith(" ")) who = line.split(" ")[0] ?? "";
    if (/^ {4}(COMMIT|EPOCH|EVIDENCE|ALARM)/.test(line)) outcomes.push(`${who}: ${line.trim()}`);
    if (line.startsWith("BROKEN") || line.includes(" crashes ")) outcomes.push(line);
  }
  return outcomes;
}
