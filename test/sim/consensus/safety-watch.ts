import { hasItsPayload } from "@/core/consensus/block.ts";
import { compareRank } from "@/core/consensus/certificates.ts";
import { type Durable, isSound, mayFollow } from "@/core/consensus/durable.ts";
import { type Evidence, findOffence, provesOffence } from "@/core/consensus/evidence.ts";
import type { Message, Proposal, Wish } from "@/core/consensus/messages.ts";
import type { SigScheme } from "@/core/consensus/signatures.ts";
import type { Block, Cert, Hash, PublicKey, TC, Vote } from "@/core/consensus/types.ts";
import type { AppState } from "./application.ts";
import { type Ballots, short } from "./ballots.ts";
import type { Host } from "./host.ts";
import { promise } from "./violation.ts";

/** What was said by one honest validator, in every life of it. */
interface Said {
  readonly votes: Map<string, Vote>;
  readonly recent: Vote[];
}

/** The promises S1 to S13 of section 15, for processes that do not lie. */
export class SafetyWatch {
  readonly ballots: Ballots;
  readonly liars: ReadonlySet<PublicKey>;
  /** The one chain, by height. */
  readonly chain: Block[];
  readonly #scheme: SigScheme;
  readonly #isLiar: boolean[] = [];
  readonly #said = new Map<number, Said>();
  readonly #records = new Map<number, Durable>();
  readonly #heights = new Map<number, number>();
  readonly #wishes = new Map<number, number>();
  readonly #roots = new Map<number, Hash>();
  readonly #real = new WeakSet<Cert | TC>();

  constructor(terms: {
    readonly ballots: Ballots;
    readonly genesis: Block;
    readonly scheme: SigScheme;
    readonly liars: ReadonlySet<PublicKey>;
  }) {
    this.ballots = terms.ballots;
    this.chain = [terms.genesis];
    this.#scheme = terms.scheme;
    this.liars = terms.liars;
  }

  isLiar({ id, key }: Host): boolean {
    this.#isLiar[id] ??= this.liars.has(key);
    return this.#isLiar[id];
  }

  booted(host: Host, durable: Durable | null): void {
    this.#heights.set(host.id, host.committed.header.height);
    if (durable) this.#records.set(host.id, durable);
    if (this.isLiar(host)) return;
    const path: Block[] = [];
    let block: Block | undefined = host.committed;
    while (block && block.header.height >= this.chain.length) {
      path.push(block);
      block = host.blocks.get(block.header.parent);
    }
    if (block) path.push(block);
    for (const one of path.toReversed()) this.#isOnChain(host, one);
  }

  /** S6, S8: a record follows from the one before, and all it names is real. */
  persisted(host: Host, durable: Durable): void {
    const before = this.#records.get(host.id);
    this.#records.set(host.id, durable);
    promise(isSound(durable), "S6", () => `${host.id} writes a record that is not sound`);
    if (before)
      promise(mayFollow(before, durable), "S6", () => `${host.id} writes a record that goes back`);
    const { lastVote } = durable;
    if (lastVote && lastVote !== before?.lastVote) this.#isInTime(host, lastVote.block);
    if (durable.lastWishView > (before?.epoch === durable.epoch ? before.lastWishView : 0))
      this.#isWishOfHonest(host, durable.epoch, durable.lastWishView);
    for (const cert of [durable.lock, durable.highCert, durable.commitCert])
      this.#mustBeReal(host, cert, (one) => this.ballots.isReal(one));
    if (durable.highTC) this.#mustBeReal(host, durable.highTC, (one) => this.ballots.isRealTC(one));
  }

  #mustBeReal<T extends Cert | TC>(host: Host, one: T, isReal: (one: T) => boolean): void {
    if (this.#real.has(one)) return;
    promise(isReal(one), "S8", () => `${host.id} believes a certificate of view ${one.view}`);
    this.#real.add(one);
  }

  /** S5, S6, S7: before a message leaves, what it relies on is on disk. */
  sealed(host: Host, message: Message): void {
    if (this.isLiar(host)) return;
    if (message.type === "vote") this.#onVote(host, message);
    if (message.type === "proposal") this.#onProposal(host, message);
    if (message.type === "wish") this.#onWish(host, message);
  }

  #onVote(host: Host, vote: Vote): void {
    const { kind, epoch, view, block } = vote;
    const said: Said = this.#said.get(host.id) ?? { votes: new Map(), recent: [] };
    this.#said.set(host.id, said);
    const name = `${kind} ${epoch} ${view}`;
    const before = said.votes.get(name);
    if (before) {
      promise(before.block === block, "S5", () => `${host.id} votes twice: ${name}`);
      promise(!findOffence(before, vote), "S5", () => `${host.id} votes twice: ${name}`);
    } else {
      for (const other of said.recent)
        promise(!findOffence(other, vote), "S10", () => `${host.id} can be framed: ${name}`);
      said.votes.set(name, vote);
      said.recent.push(vote);
      if (said.recent.length > 60) said.recent.splice(0, 20);
    }
    this.#isCovered(host, vote);
  }

  /** S13: nobody whose clock is good votes for a block from the future. */
  #isInTime(host: Host, hash: Hash): void {
    const header = host.blocks.get(hash)?.header;
    const parent = header && this.ballots.headers.get(header.parent);
    if (!header || !parent || !host.state?.replica.isClockHealthy) return;
    const ahead = header.timestampMs - host.now;
    promise(
      ahead <= host.config.driftMsMax || header.timestampMs === parent.timestampMs + 1,
      "S13",
      () => `${host.id} votes for a block ${ahead} ms in the future`,
    );
  }

  #isCovered(host: Host, { kind, epoch, view, block }: Vote): void {
    const { record } = host.disk;
    const isThere = record !== null && record.epoch >= epoch;
    promise(isThere, "S7", () => `${host.id} votes without a record`);
    if (!record || record.epoch > epoch) return;
    if (kind === "P") {
      promise(
        record.lastVotedView >= view,
        "S7",
        () => `${host.id} votes in ${view} before its disk`,
      );
      this.#hasBlocks(host, block);
      return;
    }
    const isLocked = record.lock.view >= view && record.lastCommitVotedView >= view;
    promise(isLocked, "S6", () => `${host.id} commit-votes in ${view} before it is locked on disk`);
  }

  /** The block and its ancestors down to the committed one are durable (§4.1). */
  #hasBlocks(host: Host, tip: Hash): void {
    let hash = tip;
    for (;;) {
      const block = host.blocks.get(hash);
      if (block && block.header.height <= host.committed.header.height) return;
      promise(
        block !== undefined && host.disk.blocks.has(hash),
        "S7",
        () => `${host.id} votes for ${short(tip)} and has not stored ${short(hash)}`,
      );
      if (block) hash = block.header.parent;
    }
  }

  #onProposal(host: Host, { block }: Proposal): void {
    const { epoch, view } = block.header;
    const { record } = host.disk;
    const isCovered =
      record !== null &&
      (record.epoch > epoch ||
        record.lastProposedView > view ||
        (record.lastProposedView === view && record.lastProposal === block.hash));
    promise(isCovered, "S7", () => `${host.id} proposes in ${view} before its disk`);
  }

  #onWish(host: Host, { epoch, wishView }: Wish): void {
    const { record } = host.disk;
    const isCovered = record !== null && (record.epoch > epoch || record.lastWishView >= wishView);
    promise(isCovered, "S7", () => `${host.id} wishes for ${wishView} before its disk`);
  }

  /** Nobody honest wishes for a view that no honest one has had a reason to wish for. */
  #isWishOfHonest(host: Host, epoch: number, wishView: number): void {
    const highest = this.#wishes.get(epoch) ?? 0;
    const { view = 0 } = host.state?.replica ?? {};
    promise(
      wishView <= Math.max(highest, view + host.config.syncPeriod),
      "L2",
      () => `${host.id} in view ${view} wishes for ${wishView}, as only liars do`,
    );
    this.#wishes.set(epoch, Math.max(highest, wishView));
  }

  /** S1, S2, S12, S13. */
  committed(host: Host, blocks: readonly Block[], cert: Cert): void {
    if (this.isLiar(host)) return;
    this.#mustBeReal(host, cert, (one) => this.ballots.isReal(one));
    promise(cert.kind === "C", "S8", () => `${host.id} commits by a prepare certificate`);
    for (const block of blocks) {
      const { height } = block.header;
      const last = this.#heights.get(host.id) ?? 0;
      promise(height === last + 1, "S2", () => `${host.id} commits ${height} after ${last}`);
      this.#heights.set(host.id, height);
      this.#isOnChain(host, block);
    }
  }

  #isOnChain(host: Host, block: Block): void {
    const { height } = block.header;
    promise(hasItsPayload(block), "S1", () => `${host.id} commits another body at ${height}`);
    const known = this.chain[height];
    if (known) {
      promise(
        known.hash === block.hash,
        "S1",
        () => `${host.id} commits ${short(block.hash)} at ${height}, others ${short(known.hash)}`,
      );
      return;
    }
    const parent = this.chain[height - 1];
    promise(
      parent?.hash === block.header.parent,
      "S2",
      () => `${height} does not extend the chain`,
    );
    if (parent) this.#isAbove(block, parent);
    this.chain[height] = block;
  }

  #isAbove(block: Block, parent: Block): void {
    const [above, below] = [block.header, parent.header];
    promise(
      above.timestampMs > below.timestampMs,
      "S13",
      () => `${above.height} is not later than ${below.height}`,
    );
    const isFinal = below.nextValidatorsHash !== null;
    const isInEpoch = above.epoch === below.epoch + (isFinal ? 1 : 0);
    promise(isInEpoch, "S12", () => `${above.height} is of epoch ${above.epoch}`);
    promise(
      compareRank(above, below) > 0,
      "S12",
      () => `${above.height} has no higher rank than its parent`,
    );
    promise(above.closing === null, "S12", () => `${above.height} only closes its epoch`);
  }

  /** S11. */
  executed(host: Host, { height, root }: AppState): void {
    const known = this.#roots.get(height);
    promise(
      this.isLiar(host) || known === undefined || known === root,
      "S11",
      () => `${host.id} has another root at ${height}`,
    );
    this.#roots.set(height, root);
  }

  /** S10. */
  reported(host: Host, evidence: Evidence): void {
    if (this.isLiar(host)) return;
    const { epoch, signer } = evidence.first;
    const committee = this.ballots.committeeOf(epoch);
    const accused = committee?.validators[signer];
    const isGuilty =
      committee !== undefined &&
      accused !== undefined &&
      this.liars.has(accused) &&
      provesOffence(this.#scheme, committee, evidence);
    promise(isGuilty, "S10", () => `${host.id} accuses ${signer} of ${evidence.type}`);
  }
}
