import { hasSigned, isSameBallot } from "@/core/consensus/certificates.ts";
import type { Effect, Event } from "@/core/consensus/events.ts";
import type { Message, Proposal } from "@/core/consensus/messages.ts";
import type { Committee } from "@/core/consensus/quorum.ts";
import type { Replica } from "@/core/consensus/state.ts";
import type { Ballot, Cert, PublicKey, Vote } from "@/core/consensus/types.ts";
import { isHeld, Memory, PREPARE_VIEWS } from "./evidence-memory.ts";
import { epochOf } from "./exchange.ts";
import type { Host } from "./host.ts";
import { promise } from "./violation.ts";

/**
 * The other half of S10: who hears a liar contradict itself shows it to the world, in the same step.
 * What a replica hears, it has to compare with what it holds of the same signer, in one life of it
 * and one epoch, v being its view at that moment:
 *
 * - The first commit vote of a signer in a view is held if that view is at least v − 8, and a prepare
 *   vote, by who leads its view, if that is at least v − 1; neither if the view is above v + 2n. The
 *   commit vote is held until its view is below v − 8, the prepare vote until it is below v − 2. A vote
 *   that would be held, were it the first, is compared with all votes held.
 * - The first proposal of a view is held if its view is at least v − 2, up to v + 2n, until it is below
 *   v − 2. Any other proposal is compared with it, after its certificates were taken in.
 * - The votes in a certificate are compared with all votes held, but for that in an epoch proof. The first
 *   certificate of a kind in a view is held while its view is at least v − 8, and a vote that would be held
 *   is compared with the votes in it.
 *
 * Of a step that ends the epoch only the vote, or the first certificate, has to be compared. Only liars
 * are watched: the honest do not contradict themselves (S5, and the first half of S10).
 */
export class EvidenceWatch {
  /** How often somebody heard a liar contradict itself. */
  heard = 0;
  readonly #liars: ReadonlySet<PublicKey>;
  readonly #memories: Memory[] = [];

  constructor(liars: ReadonlySet<PublicKey>) {
    this.#liars = liars;
  }

  /** One step of an honest process. */
  stepped(host: Host, event: Event, effects: readonly Effect[]): void {
    const replica = host.state?.replica;
    if (this.#liars.size === 0 || !replica) return;
    const memory = this.#memoryOf(host, replica);
    for (const effect of effects)
      if (effect.type === "evidence") memory.shown.add(nameOf(effect.evidence));
    if (event.type === "message") this.#hear(memory, host, event.message, replica);
    memory.enter(replica, event);
  }

  #memoryOf({ id, life }: Host, replica: Readonly<Replica>): Memory {
    const known = this.#memories[id];
    if (known?.life === life) return known;
    const fresh = new Memory(life, replica);
    this.#memories[id] = fresh;
    return fresh;
  }

  #hear(memory: Memory, host: Host, message: Message, replica: Readonly<Replica>): void {
    if (message.type === "vote") {
      this.#hearVote(memory, host, message);
      return;
    }
    const certs = certsIn(message);
    const { epoch } = memory.committee;
    if (certs.length === 0 || (epochOf(message) ?? epoch) !== epoch) return;
    const isOver = replica.committee !== memory.committee;
    this.#hearCerts(memory, host, isOver ? certs.slice(0, 1) : certs);
    if (message.type === "proposal" && !isOver)
      this.#hearProposal(memory, host, message, replica.view);
  }

  #hearCerts(memory: Memory, host: Host, certs: readonly Cert[]): void {
    let { view } = memory;
    for (const cert of certs) {
      if (cert.epoch !== memory.committee.epoch) continue;
      this.#hearCert(memory, host, cert, view);
      memory.hold(cert, view);
      view = Math.max(view, cert.view + 1);
    }
  }

  #hearCert(memory: Memory, host: Host, cert: Cert, now: number): void {
    for (const [signer, votes] of memory.votes) {
      if (!hasSigned(cert, signer)) continue;
      for (const vote of votes)
        if (isHeld(vote, now)) this.#mustShow(memory, host, signer, offenceIn(vote, cert));
    }
  }

  #hearVote(memory: Memory, host: Host, vote: Vote): void {
    const { signer } = vote;
    const { view, committee } = memory;
    if (vote.epoch !== committee.epoch || !this.#isLiar(committee, signer)) return;
    if (!memory.isWanted(vote)) return;
    const held = (memory.votes.get(signer) ?? []).filter((one) => isHeld(one, view));
    const signed = memory.certsBy(signer);
    for (const one of [...held, ...signed])
      this.#mustShow(memory, host, signer, offenceIn(one, vote));
    if (!held.some(({ kind, view }) => kind === vote.kind && view === vote.view)) held.push(vote);
    memory.votes.set(signer, held);
  }

  #hearProposal(memory: Memory, host: Host, { block }: Proposal, now: number): void {
    const { view, proposer } = block.header;
    const { committee, proposals } = memory;
    if (!this.#isLiar(committee, proposer)) return;
    if (view > now + 2 * committee.validators.length) return;
    const first = view < now - PREPARE_VIEWS ? undefined : proposals.get(view);
    if (first === undefined && view >= now - PREPARE_VIEWS) proposals.set(view, block.hash);
    if (first !== undefined && first !== block.hash)
      this.#mustShow(memory, host, proposer, { type: "double_proposal", view });
  }

  #isLiar({ validators }: Committee, signer: number): boolean {
    const key = validators[signer];
    return key !== undefined && this.#liars.has(key);
  }

  #mustShow(memory: Memory, host: Host, signer: number, offence: Offence | null): void {
    if (!offence) return;
    const { type, view } = offence;
    const name = nameOf({ type, first: { epoch: memory.committee.epoch, signer, view } });
    if (!memory.heard.has(name)) this.heard++;
    memory.heard.add(name);
    promise(
      memory.shown.has(name),
      "S10",
      () => `${host.id} hears of a ${type} of ${signer} in view ${view} and does not show it`,
    );
  }
}

const NONE: readonly Cert[] = [];

/** The certificates in a message, in the order in which they are taken in. */
function certsIn(message: Message): readonly Cert[] {
  switch (message.type) {
    case "proposal":
      return message.commit ? [message.commit, message.justify] : [message.justify];
    case "new_view":
      return [message.commit, message.highCert];
    case "wish":
      return [message.highCert];
    case "prepare":
    case "decide":
      return [message.cert];
    case "blocks":
      return message.cert ? [message.cert] : NONE;
    default:
      return NONE;
  }
}

interface Offence {
  readonly type: "double_proposal" | "double_vote" | "double_commit_vote" | "lock_violation";
  readonly view: number;
}

/** What section 12 says of two ballots of one signer. */
function offenceIn(one: Ballot, other: Ballot): Offence | null {
  if (one.kind === other.kind) {
    if (one.view !== other.view || isSameBallot(one, other)) return null;
    return { type: one.kind === "P" ? "double_vote" : "double_commit_vote", view: one.view };
  }
  const [commit, prepare] = one.kind === "C" ? [one, other] : [other, one];
  const isIgnored = commit.view < prepare.view && commit.view > prepare.justifyView;
  return isIgnored ? { type: "lock_violation", view: commit.view } : null;
}

function nameOf(offence: {
  readonly type: string;
  readonly first: { readonly epoch: number; readonly signer: number; readonly view: number };
}): string {
  const { epoch, signer, view } = offence.first;
  return `${offence.type} ${epoch} ${signer} ${view}`;
}
