import { describe, expect, test } from "bun:test";
import { Turns } from "@/std/turns.ts";

describe("turns", () => {
  test("are taken one at a time, in the order they were asked for", async () => {
    const turns = new Turns();
    const steps: string[] = [];
    const act = (name: string) => async () => {
      steps.push(`${name} begins`);
      await Promise.resolve();
      steps.push(`${name} ends`);
      return name;
    };
    expect(await Promise.all([turns.take(act("a")), turns.take(act("b"))])).toEqual(["a", "b"]);
    expect(steps).toEqual(["a begins", "a ends", "b begins", "b ends"]);
  });

  test("go on after one that failed", async () => {
    const turns = new Turns();
    const failed = turns.take(async () => {
      throw new Error("no");
    });
    await expect(failed).rejects.toThrow("no");
    expect(await turns.take(async () => 1)).toBe(1);
  });
});
