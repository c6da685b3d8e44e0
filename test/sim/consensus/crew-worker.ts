import { type BatchTerms, runBatch } from "./batch.ts";

/** Runs the seeds it is told to, until it is told nothing more. */
process.on("message", (terms: BatchTerms | null) => {
  if (terms === null) process.exit(0);
  process.send?.(runBatch(terms));
});
