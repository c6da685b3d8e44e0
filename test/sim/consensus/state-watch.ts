import { compareRank } from "@/core/consensus/certificates.ts";
import type { Durable } from "@/core/consensus/durable.ts";
import type { State } from "@/core/consensus/state.ts";
import type { Host } from "./host.ts";
import { promise } from "./violation.ts";

interface Seen {
  readonly life: number;
  readonly view: number;
  readonly durable: Durable;
  count: number;
}

/** Events between two looks at how much memory a replica uses. */
const BOUNDS_EVERY = 16;

/** The promises of section 4 and L9, looked at after every event. */
export class StateWatch {
  readonly #seen = new Map<number, Seen>();

  check(host: Host, { replica }: State): void {
    const { view, durable } = replica;
    const seen = this.#seen.get(host.id);
    if (seen?.life === host.life && seen.view === view && seen.durable === durable) {
      if (++seen.count % BOUNDS_EVERY === 0) checkBounds(host, replica);
      return;
    }
    this.#seen.set(host.id, { life: host.life, view, durable, count: (seen?.count ?? 0) + 1 });
    checkRecord(host, replica);
    if (seen?.life !== host.life || seen.durable.epoch !== durable.epoch) return;
    promise(view >= seen.view, "S6", () => `${host.id}: from view ${seen.view} back to ${view}`);
  }
}

function checkRecord({ id }: Host, { durable, view, halted }: State["replica"]): void {
  const { lock, highCert, commitCert, lastCommitVotedView, lastVotedView } = durable;
  promise(compareRank(lock, highCert) <= 0, "S6", () => `${id}: lock above highCert`);
  promise(compareRank(commitCert, highCert) <= 0, "S6", () => `${id}: commitCert above highCert`);
  promise(lastCommitVotedView <= lock.view, "S6", () => `${id}: commit vote above its lock`);
  promise(view >= lastVotedView, "S6", () => `${id}: in ${view}, voted in ${lastVotedView}`);
  promise(
    halted !== null || view > lastCommitVotedView,
    "S6",
    () => `${id}: still in view ${view}, in which it commit-voted`,
  );
}

const viewsOf = (n: number): number => 2 * n + 16;

/** How much of each collection a replica of n may hold (L9). */
const BOUNDS = [
  ["votes", viewsOf],
  ["commitVotes", viewsOf],
  ["certs", (n: number) => viewsOf(n) + 16],
  ["proposals", viewsOf],
  ["newViews", viewsOf],
  ["wishes", (n: number) => n],
  ["timers", () => 9],
  ["history", () => 4_096],
  ["blocks", (n: number) => Math.max(256, 8 * n)],
  ["links", () => 16_384],
  ["fetching", () => 64],
  ["executions", () => 1_024],
  ["sets", () => 64],
  ["answered", (n: number) => 64 * (n + 8)],
  ["offences", () => 1_024],
] as const;

function checkBounds({ id }: Host, replica: State["replica"]): void {
  const n = replica.committee.validators.length;
  for (const [name, mostOf] of BOUNDS) {
    const { size } = replica[name];
    promise(size <= mostOf(n), "L9", () => `${id}: ${name} holds ${size}`);
  }
  for (const byView of [replica.votes, replica.commitVotes])
    for (const votes of byView.values())
      promise(votes.size <= n, "L9", () => `${id}: ${votes.size} votes in one view`);
}
