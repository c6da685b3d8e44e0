import { describe, expect, test } from "bun:test";
import { theCore } from "./consensus/core.ts";
import { allStories } from "./consensus/stories.ts";
import { tellStory } from "./consensus/story.ts";

/** `npm run sim -- --rewrite` tells them anew; what has changed is to be read before it is committed. */
describe("a story of the consensus core comes out as it is written", () => {
  test.each(allStories().map(({ name, text }) => [name, text] as const))("%s", (_, text) => {
    expect(tellStory(text, theCore)).toBe(text);
    expect(text).not.toContain("BROKEN");
  });

  test("and there are those of the design, and what went wrong elsewhere", () => {
    const names = allStories().map(({ name }) => name);
    const numbered = Array.from({ length: 16 }, (_, at) => `${at + 1}`.padStart(2, "0"));
    const missing = numbered.filter((number) => !names.some((name) => name.startsWith(number)));
    expect(missing).toEqual([]);
    expect(names.filter((name) => name.startsWith("regression-")).length).toBeGreaterThan(9);
  });
});
