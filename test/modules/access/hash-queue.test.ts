import { describe, expect, test } from "bun:test";
import { HashQueue } from "@/modules/access/people/hash-queue.ts";
import { refusal } from "./world.ts";

/** Hashes that end when the test says so, in the order they began. */
function slowly(queue: HashQueue) {
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const run = (name: string, failures: number) =>
    queue.run(failures, () => {
      begun.push(name);
      const { promise, resolve } = Promise.withResolvers<void>();
      ends.push(resolve);
      return promise;
    });
  const endNext = async () => {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { begun, run, endNext };
}

describe("the queue for hashes", () => {
  test("runs no more at once than it may, and the rest in order", async () => {
    const { begun, run, endNext } = slowly(new HashQueue({ atOnce: 2, waitingMax: 10 }));
    const all = ["a", "b", "c", "d"].map((name) => run(name, 0));
    expect(begun).toEqual(["a", "b"]);
    await endNext();
    expect(begun).toEqual(["a", "b", "c"]);
    for (let at = 0; at < 3; at++) await endNext();
    await Promise.all(all);
    expect(begun).toEqual(["a", "b", "c", "d"]);
  });

  test("lets go first who has failed less", async () => {
    const { begun, run, endNext } = slowly(new HashQueue({ atOnce: 1, waitingMax: 10 }));
    const all = [
      run("first", 9),
      run("guesser", 4),
      run("good", 0),
      run("clumsy", 1),
      run("late", 0),
    ];
    for (let at = 0; at < 5; at++) await endNext();
    await Promise.all(all);
    expect(begun).toEqual(["first", "good", "late", "clumsy", "guesser"]);
  });

  test("drops who has failed most when it is full", async () => {
    const { run, endNext } = slowly(new HashQueue({ atOnce: 1, waitingMax: 2 }));
    const running = run("running", 0);
    const waiting = [run("guesser", 3), run("clumsy", 1), run("good", 0), run("worse", 9)].map(
      refusal,
    );
    for (let at = 0; at < 3; at++) await endNext();
    await running;
    expect(await Promise.all(waiting)).toEqual([
      "access.busy",
      "allowed",
      "allowed",
      "access.busy",
    ]);
  });

  test("goes on after a hash that failed", async () => {
    const queue = new HashQueue({ atOnce: 1, waitingMax: 1 });
    const failing = queue.run(0, () => Promise.reject(new Error("no memory")));
    const next = queue.run(0, async () => "hash");
    expect(await Promise.allSettled([failing, next])).toMatchObject([
      { status: "rejected" },
      { value: "hash" },
    ]);
    expect(await queue.run(0, async () => "again")).toBe("again");
  });
});
