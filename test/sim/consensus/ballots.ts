import { isSameBallot } from "@/core/consensus/certificates.ts";
import type { Statement } from "@/core/consensus/digest.ts";
import { type Committee, quorumOf } from "@/core/consensus/quorum.ts";
import type { Ballot, Cert, Hash, Header, PublicKey, TC } from "@/core/consensus/types.ts";
import { promise } from "./violation.ts";

interface Count {
  readonly ballot: Ballot;
  readonly signers: Set<number>;
  isCertain: boolean;
}

/** Which block a quorum has, or could have, certified in a view. */
interface Certified {
  readonly view: number;
  readonly block: Hash;
}

interface EpochBallots {
  readonly committee: Committee;
  /** By view. */
  readonly counts: Map<number, Count[]>;
  readonly prepared: Map<number, Hash>;
  readonly committed: Certified[];
  /** Of each signer. */
  readonly wishes: Map<number, Set<number>>;
}

/**
 * Sees every signature when it is made, whoever makes it and whether or not it ever arrives. A
 * certificate counts as soon as the liars could complete it: S3 and S4 are judged then, long before
 * somebody commits.
 */
export class Ballots {
  readonly headers = new Map<Hash, Header>();
  readonly #epochs = new Map<number, EpochBallots>();
  readonly #liars: ReadonlySet<PublicKey>;

  constructor(liars: ReadonlySet<PublicKey>) {
    this.#liars = liars;
  }

  /** An epoch has one committee (S12). */
  open(committee: Committee, isDoubtful = false): void {
    const known = this.#epochs.get(committee.epoch);
    if (known?.committee === committee || (known && isDoubtful)) return;
    if (known) {
      const isSame =
        known.committee.genesis === committee.genesis &&
        known.committee.validators.join() === committee.validators.join();
      promise(isSame, "S12", () => `epoch ${committee.epoch} begins in two ways`);
      return;
    }
    this.#epochs.set(committee.epoch, {
      committee,
      counts: new Map(),
      prepared: new Map([[0, committee.genesis]]),
      committed: [{ view: 0, block: committee.genesis }],
      wishes: new Map(),
    });
  }

  committeeOf(epoch: number): Committee | undefined {
    return this.#epochs.get(epoch)?.committee;
  }

  /** Who has signed a prepare vote for that block. */
  votersOf(epoch: number, view: number, block: Hash): ReadonlySet<PublicKey> {
    const known = this.#epochs.get(epoch);
    const counts = known?.counts.get(view) ?? [];
    const signers = counts
      .filter(({ ballot }) => ballot.kind === "P" && ballot.block === block)
      .flatMap((count) => [...count.signers]);
    return new Set(signers.flatMap((signer) => known?.committee.validators[signer] ?? []));
  }

  signed(key: PublicKey, statement: Statement): void {
    if (statement.type !== "vote" && statement.type !== "wish") return;
    const epoch = this.#epochs.get(statement.epoch);
    const signer = epoch?.committee.validators.indexOf(key) ?? -1;
    if (!epoch || signer < 0) return;
    if (statement.type === "vote") this.#count(epoch, signer, statement);
    else this.#wish(epoch, signer, statement.wishView);
  }

  #wish({ wishes }: EpochBallots, signer: number, view: number): void {
    const views = wishes.get(signer) ?? new Set();
    wishes.set(signer, views.add(view));
  }

  #count(epoch: EpochBallots, signer: number, ballot: Ballot): void {
    let count = countOf(epoch, ballot);
    if (!count) {
      count = { ballot, signers: new Set(), isCertain: false };
      const counts = epoch.counts.get(ballot.view) ?? [];
      counts.push(count);
      epoch.counts.set(ballot.view, counts);
    }
    count.signers.add(signer);
    if (count.isCertain || !this.#isPossible(epoch, count)) return;
    count.isCertain = true;
    if (ballot.kind === "P") this.#onPrepared(epoch, ballot);
    else this.#onCommitted(epoch, ballot);
  }

  /** Whether these signers and all liars are a quorum. The liars alone never are. */
  #isPossible({ committee }: EpochBallots, { signers }: Count): boolean {
    const { validators } = committee;
    const quorum = quorumOf(validators.length);
    let size = signers.size;
    if (size + this.#liars.size < quorum) return false;
    for (const [index, key] of validators.entries())
      if (this.#liars.has(key) && !signers.has(index)) size++;
    return size >= quorum;
  }

  #onPrepared({ prepared, committed }: EpochBallots, { view, block }: Ballot): void {
    const other = prepared.get(view);
    promise(
      other === undefined || other === block,
      "S3",
      () => `two blocks are certified in view ${view}: ${short(other)} and ${short(block)}`,
    );
    prepared.set(view, block);
    for (const one of committed) if (one.view < view) this.#mustDescend({ view, block }, one);
  }

  #onCommitted({ prepared, committed }: EpochBallots, { view, block }: Ballot): void {
    for (const one of committed)
      promise(
        one.view !== view || one.block === block,
        "S4",
        () => `two blocks are committed in view ${view}`,
      );
    committed.push({ view, block });
    for (const [higher, one] of prepared)
      if (higher > view) this.#mustDescend({ view: higher, block: one }, { view, block });
  }

  #mustDescend(certified: Certified, committed: Certified): void {
    const height = this.headers.get(committed.block)?.height;
    let header = this.headers.get(certified.block);
    if (height === undefined || header === undefined) return;
    let hash = certified.block;
    while (header && header.height > height) {
      hash = header.parent;
      header = this.headers.get(hash);
    }
    promise(
      header === undefined || hash === committed.block,
      "S4",
      () =>
        `${short(certified.block)} is certified in view ${certified.view} and does not extend ` +
        `${short(committed.block)}, committed in view ${committed.view}`,
    );
  }

  /** Whether a quorum really signed this certificate: no scheme is asked. */
  isReal(cert: Cert): boolean {
    const epoch = this.#epochs.get(cert.epoch);
    if (!epoch) return false;
    const { committee } = epoch;
    if (cert.view === 0) return cert.block === committee.genesis;
    const signers = countOf(epoch, cert)?.signers.size ?? 0;
    return signers >= quorumOf(committee.validators.length);
  }

  /** Whether a quorum really wished for this view or a higher one. */
  isRealTC({ epoch, view, entries }: TC): boolean {
    const known = this.#epochs.get(epoch);
    if (!known) return false;
    const signers = new Set(
      entries
        .filter(
          ({ signer, wishView }) => wishView >= view && known.wishes.get(signer)?.has(wishView),
        )
        .map(({ signer }) => signer),
    );
    return signers.size >= quorumOf(known.committee.validators.length);
  }
}

/** A hash as people read it. */
export function short(hash: Hash | undefined): string {
  return hash?.slice(0, 6) ?? "nothing";
}

function countOf({ counts }: EpochBallots, ballot: Ballot): Count | undefined {
  return counts.get(ballot.view)?.find((count) => isSameBallot(count.ballot, ballot));
}
