import { availableParallelism } from "node:os";
import { join } from "node:path";
import { add, type BatchSum, type BatchTerms, EMPTY_SUM } from "./batch.ts";

/** Seeds a worker is given at a time: small enough that all end together. */
const PORTION = 25;
const WORKER = join(import.meta.dir, "crew-worker.ts");

/** Runs seeds on all cores, each in a process of its own; `progress` hears of the sum so far. */
export async function runOnAllCores(
  terms: BatchTerms,
  progress: (sum: BatchSum) => void = () => {},
): Promise<BatchSum> {
  let next = terms.from;
  let sum = EMPTY_SUM;
  const portion = (): BatchTerms | null => {
    if (next >= terms.to) return null;
    const from = next;
    next = Math.min(terms.to, from + PORTION);
    return { ...terms, from, to: next };
  };
  const done = (one: BatchSum): void => {
    sum = add(sum, one);
    progress(sum);
  };
  const count = Math.min(availableParallelism(), Math.ceil((terms.to - terms.from) / PORTION));
  await Promise.all(Array.from({ length: count }, () => work(portion, done)));
  return sum;
}

async function work(
  portion: () => BatchTerms | null,
  done: (sum: BatchSum) => void,
): Promise<void> {
  const worker = Bun.spawn([process.execPath, WORKER], {
    stdio: ["ignore", "inherit", "inherit"],
    ipc(message: BatchSum, child) {
      done(message);
      give(child.send.bind(child));
    },
  });
  const give = (send: (terms: BatchTerms | null) => void): void => send(portion());
  give(worker.send.bind(worker));
  if ((await worker.exited) !== 0) throw new Error("a worker of the simulation died");
}
