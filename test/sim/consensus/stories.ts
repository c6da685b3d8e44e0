import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dir, "../../transcripts/consensus");

/** A story on disk. */
export interface StoryFile {
  readonly name: string;
  readonly path: string;
  readonly text: string;
}

/** All stories, by their names. */
export function allStories(): readonly StoryFile[] {
  return readdirSync(FOLDER)
    .filter((file) => file.endsWith(".txt"))
    .sort()
    .map((file) => storyNamed(file.slice(0, -".txt".length)));
}

/** The story of this name. */
export function storyNamed(name: string): StoryFile {
  const path = join(FOLDER, `${name}.txt`);
  return { name, path, text: readFileSync(path, "utf8") };
}
