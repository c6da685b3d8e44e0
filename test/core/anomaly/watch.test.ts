import { describe, expect, test } from "bun:test";
import type { AnomalyRule, Terms } from "@/core/anomaly/rules.ts";
import {
  acknowledge,
  newWatch,
  notice,
  OTHERS,
  reopen,
  type Watch,
  type WatchTerms,
} from "@/core/anomaly/watch.ts";

const WINDOW_MS = 1_000;
const EACH = { count: 3, windowMs: WINDOW_MS };
const TERMS: WatchTerms = {
  terms: new Proxy({} as Terms, { get: () => EACH }),
  quietMs: 5_000,
  subjectsMax: 4,
  openMax: 2,
};

/** Signals of one rule and subject at these moments; what each came to. */
function at(watch: Watch, rule: AnomalyRule, moments: readonly number[], subject = "a"): string[] {
  return moments.map((ms) => notice(watch, { rule, subject }, ms).type);
}

/** The same for members that are counted when they differ. */
function from(watch: Watch, members: readonly string[], startMs = 0): string[] {
  return members.map((member, index) => {
    const signal = { rule: "credential_spread", subject: "key:k", member } as const;
    return notice(watch, signal, startMs + index).type;
  });
}

describe("a rule that counts signals", () => {
  test.each<[string, readonly number[], readonly string[]]>([
    ["is quiet below its count", [0, 1], ["counted", "counted"]],
    ["speaks at its count", [0, 1, 2], ["counted", "counted", "raised"]],
    ["speaks when the last falls just inside", [0, 1, 999], ["counted", "counted", "raised"]],
    ["forgets what is a whole window old", [0, 1, 1_000], ["counted", "counted", "counted"]],
    [
      "raises once, however long it goes on",
      [0, 1, 2, 3, 4, 9_000],
      ["counted", "counted", "raised", "again", "again", "again"],
    ],
    [
      "never speaks of what drips",
      [0, 600, 1_200, 1_800, 2_400],
      ["counted", "counted", "counted", "counted", "counted"],
    ],
  ])("%s", (_, moments, expected) => {
    expect(at(newWatch(TERMS), "denials", moments)).toEqual([...expected]);
  });

  test("tells one subject from another", () => {
    const watch = newWatch(TERMS);
    expect([
      ...at(watch, "denials", [0, 1], "a"),
      ...at(watch, "denials", [2, 3], "b"),
    ]).not.toContain("raised");
    expect(at(watch, "denials", [4], "a")).toEqual(["raised"]);
  });

  test("says how many it stands for", () => {
    const watch = newWatch(TERMS);
    const counts = [0, 1, 2, 3].map(
      (ms) => notice(watch, { rule: "denials", subject: "a" }, ms).count,
    );
    expect(counts).toEqual([1, 2, 3, 1]);
  });
});

describe("a rule that counts addresses", () => {
  test("speaks when there are enough different ones", () => {
    const watch = newWatch(TERMS);
    expect(from(watch, ["x", "x", "x", "y", "x", "y"])).not.toContain("raised");
    expect(from(watch, ["z"], 10)).toEqual(["raised"]);
  });

  test("goes on only where another one comes", () => {
    const watch = newWatch(TERMS);
    from(watch, ["x", "y", "z"]);
    expect(from(watch, ["x", "y", "v", "v"], 10)).toEqual([
      "counted",
      "counted",
      "again",
      "counted",
    ]);
  });

  test("forgets addresses of long ago", () => {
    const watch = newWatch(TERMS);
    from(watch, ["x", "y"]);
    expect(from(watch, ["z"], 1_001)).toEqual(["counted"]);
  });

  test("counts who names none as one", () => {
    const watch = newWatch(TERMS);
    const signal = { rule: "credential_spread", subject: "key:k" } as const;
    expect([0, 1, 2, 3].map((ms) => notice(watch, signal, ms).type)).not.toContain("raised");
  });
});

describe("an acknowledged anomaly", () => {
  const raised = (): Watch => {
    const watch = newWatch(TERMS);
    at(watch, "denials", [0, 1, 2]);
    acknowledge(watch, { rule: "denials", subject: "a" }, 10);
    return watch;
  };

  test("stays quiet for its time, and is then counted from the beginning", () => {
    const watch = raised();
    expect(at(watch, "denials", [11, 12, 13, 14, 5_009])).toEqual(Array(5).fill("quiet"));
    expect(at(watch, "denials", [5_010, 5_011, 5_012])).toEqual(["counted", "counted", "raised"]);
  });

  test("keeps nobody else quiet", () => {
    expect(at(raised(), "denials", [11, 12, 13], "b").at(-1)).toBe("raised");
  });
});

describe("what is remembered", () => {
  test("goes on after a restart where it was open", () => {
    const watch = newWatch(TERMS);
    reopen(watch, "denials", "a");
    expect(at(watch, "denials", [0])).toEqual(["again"]);
  });

  test("is bounded: the subject counted longest ago is forgotten", () => {
    const watch = newWatch(TERMS);
    at(watch, "denials", [0, 1], "a");
    for (const subject of ["b", "c", "d", "e"]) at(watch, "denials", [2], subject);
    expect(watch.counters.size).toBe(TERMS.subjectsMax);
    expect(at(watch, "denials", [3], "a")).toEqual(["counted"]);
  });

  test("makes one anomaly of many subjects when a rule has too many open ones", () => {
    const watch = newWatch(TERMS);
    for (const subject of ["a", "b"]) at(watch, "denials", [0, 1, 2], subject);
    const speak = (subject: string, ms: number) =>
      [0, 1, 2].map((more) => notice(watch, { rule: "denials", subject }, ms + more)).at(-1);
    expect(speak("c", 10)).toEqual({ type: "raised", subject: OTHERS, count: 1 });
    expect(speak("d", 20)).toEqual({ type: "again", subject: OTHERS, count: 1 });
    acknowledge(watch, { rule: "denials", subject: OTHERS }, 30);
    expect(speak("e", 40)).toEqual({ type: "quiet", subject: OTHERS, count: 0 });
    expect(watch.open.get("denials")?.size).toBe(2);
  });
});
