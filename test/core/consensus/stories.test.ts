import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { replay } from "#test/support/story.ts";

const FOLDER = join(import.meta.dir, "stories");

/** `STORIES=write bun test …` writes down what happens now; read it before you commit it. */
describe("the traces of the design (§6.9)", () => {
  test.each(readdirSync(FOLDER))("%s goes as it is told", (file) => {
    const path = join(FOLDER, file);
    const told = readFileSync(path, "utf8");
    const played = replay(told);
    if (process.env["STORIES"] === "write") writeFileSync(path, played);
    else expect(played).toBe(told);
  });

  test("there is one for each letter", () => {
    const letters = readdirSync(FOLDER).map((file) => file[0]);
    expect([...new Set(letters)].sort()).toEqual([..."abcdefghij"]);
  });
});
