import { hasSigned } from "@/core/consensus/certificates.ts";
import type { Event } from "@/core/consensus/events.ts";
import { type Committee, leaderOf } from "@/core/consensus/quorum.ts";
import type { Replica } from "@/core/consensus/state.ts";
import type { Cert, Hash, Vote } from "@/core/consensus/types.ts";

/** Views back from the present one in which commit votes are held, and prepare votes and proposals. */
const COMMIT_VIEWS = 8;
export const PREPARE_VIEWS = 2;

/** Whether a vote is still held in this view. */
export function isHeld({ kind, view }: Vote, now: number): boolean {
  return view >= now - (kind === "C" ? COMMIT_VIEWS : PREPARE_VIEWS);
}

/** What one life of a process heard of the liars in an epoch, and what it had to say of it. */
export class Memory {
  readonly life: number;
  /** As they were before the step that is looked at. */
  committee: Committee;
  view: number;
  me: number | null;
  /** The first vote of each kind and view, by signer. */
  readonly votes = new Map<number, readonly Vote[]>();
  readonly proposals = new Map<number, Hash>();
  readonly heard = new Set<string>();
  readonly shown = new Set<string>();
  /** The first certificate of each kind and view. */
  readonly #certs = new Map<number, Cert>();

  constructor(life: number, { committee, view, me }: Readonly<Replica>) {
    this.life = life;
    this.committee = committee;
    this.view = view;
    this.me = me;
  }

  /** Where the replica is after a step. */
  enter(replica: Readonly<Replica>, event: Event): void {
    this.view = replica.view;
    this.me = replica.me;
    if (this.committee === replica.committee) this.#learn(replica.certs, event);
    else this.#begin(replica.committee);
  }

  #begin(committee: Committee): void {
    this.committee = committee;
    this.votes.clear();
    this.proposals.clear();
    this.#certs.clear();
  }

  /** A quorum of votes and the proof of an epoch bring certificates too, of which no message tells. */
  #learn(certs: Replica["certs"], event: Event): void {
    if (event.type === "message" && event.message.type === "vote")
      this.#learnOf(certs, event.message.view);
    else if (event.type === "epoch_start" || isProof(event))
      for (const view of certs.keys()) this.#learnOf(certs, view);
  }

  #learnOf(certs: Replica["certs"], view: number): void {
    const { P, C } = certs.get(view) ?? {};
    if (P) this.hold(P, this.view);
    if (C) this.hold(C, this.view);
  }

  /** Whether a vote is held, were it the first. */
  isWanted({ kind, view }: Vote): boolean {
    const { committee, me } = this;
    if (view > this.view + 2 * committee.validators.length) return false;
    if (kind === "C") return view >= this.view - COMMIT_VIEWS;
    return view >= this.view - 1 && leaderOf(committee, view) === me;
  }

  /** Holds a certificate that was heard of in a view, if it is the first of its kind. */
  hold(cert: Cert, now: number): void {
    const slot = slotOf(cert.view, cert.kind);
    if (cert.view > 0 && cert.view >= now - COMMIT_VIEWS && !this.#certs.has(slot))
      this.#certs.set(slot, cert);
  }

  /** The certificates held that this one has signed. */
  certsBy(signer: number): readonly Cert[] {
    const signed: Cert[] = [];
    for (const [slot, cert] of this.#certs) {
      if (cert.view < this.view - COMMIT_VIEWS) this.#certs.delete(slot);
      else if (hasSigned(cert, signer)) signed.push(cert);
    }
    return signed;
  }
}

function isProof(event: Event): boolean {
  return event.type === "message" && event.message.type === "epoch_proofs";
}

function slotOf(view: number, kind: Cert["kind"]): number {
  return 2 * view + (kind === "C" ? 1 : 0);
}
