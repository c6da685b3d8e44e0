import { describe, expect, test } from "bun:test";
import { type Core, theCore } from "./consensus/core.ts";
import type { Mutant } from "./consensus/mutant.ts";
import { mutantCore } from "./consensus/mutant-core.ts";
import { MUTANTS } from "./consensus/mutants.ts";
import { RULES } from "./consensus/rules.ts";
import { type RunTerms, run } from "./consensus/run.ts";
import { storyNamed } from "./consensus/stories.ts";
import { tellStory } from "./consensus/story.ts";

/** A copy of the core with a bug in it has to be caught; on the same seed the core itself is fine. */
describe("a bug that is put in on purpose is caught", () => {
  test.each(MUTANTS.map((mutant) => [mutant.name, mutant] as const))(
    "%s",
    async (_, mutant) => {
      const core = mutant.patches ? await mutantCore(mutant.patches) : theCore;
      expect(catches(mutant, core)).toBeString();
    },
    120_000,
  );

  test("and there are at least as many as the design asks for", () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(40);
    expect(new Set(MUTANTS.map(({ name }) => name)).size).toBe(MUTANTS.length);
  });
});

/** What caught it, or null. */
function catches(mutant: Mutant, core: Core): string | null {
  const { story, rule, bugs } = mutant;
  if (rule) return RULES[rule](theCore) && !RULES[rule](core) ? rule : null;
  if (!story) return catchingSeed(mutant, core);
  const { text } = storyNamed(story);
  return tellStory(text, core, bugs) === text ? null : story;
}

/** The first seed that fails, for a reason the core itself does not give. */
function catchingSeed(mutant: Mutant, core: Core): string | null {
  const { seeds = 0, fixed, bugs, check } = mutant;
  for (let seed = 0; seed < seeds; seed++) {
    const terms: RunTerms = { seed, core, ...(fixed && { fixed }) };
    const { violation } = run({ ...terms, ...(bugs && { bugs }) });
    if (!violation || violation.check !== (check ?? violation.check)) continue;
    if (!run({ ...terms, core: theCore }).violation) return violation.message;
  }
  return null;
}
