import { hashHeader } from "./digest.ts";
import { contextOf, send } from "./emit.ts";
import { committeeAfter } from "./epoch-proof.ts";
import { noteSet } from "./execution.ts";
import type { Message } from "./messages.ts";
import { mayAnswer } from "./rescue.ts";
import type { Replica } from "./state.ts";
import type { EpochProof, PublicKey } from "./types.ts";
import { onCert } from "./views.ts";

/** Meeting other epochs (§10.3, 6 and 7). */

/** The epoch a message speaks of, null when it speaks of none. */
export function epochOf(message: Message): number | null {
  switch (message.type) {
    case "proposal":
      return message.block.header.epoch;
    case "vote":
    case "wish":
    case "new_view":
    case "status":
      return message.epoch;
    case "prepare":
    case "decide":
      return message.cert.epoch;
    case "tc":
      return message.tc.epoch;
    default:
      return null;
  }
}

/** Who is behind gets the proofs; who is ahead is asked for them, once in Δ. */
export function onOtherEpoch(replica: Replica, peer: PublicKey, epoch: number): void {
  if (!mayAnswer(replica, "epoch", peer) || peer === replica.config.me) return;
  if (epoch < replica.committee.epoch) serveEpochs(replica, peer, epoch);
  else send(replica, [peer], { type: "get_epoch_proofs", fromEpoch: replica.committee.epoch });
}

/** The proofs are on disk for ever; the runtime sends them. */
export function serveEpochs(replica: Replica, to: PublicKey, fromEpoch: number): void {
  replica.effects.push({ type: "serve_epochs", to, fromEpoch });
}

/** How my epoch ended, and perhaps the next ones too. */
export function onEpochProofs(replica: Replica, proofs: readonly EpochProof[]): void {
  for (const proof of proofs)
    if (proof.headers[0]?.epoch === replica.committee.epoch) onEpochProof(replica, proof);
}

/**
 * A proof vouches for the next validators and for the headers above the epoch-final block, so that its
 * certificate commits like any other; only the blocks below still have to be fetched.
 */
export function onEpochProof(replica: Replica, proof: EpochProof): void {
  const { committed, links, blocks } = replica;
  if (committeeAfter(contextOf(replica), proof) === null) return;
  noteSet(replica, proof.validators); // This changes the version for the links too.
  for (const header of proof.headers) {
    const hash = hashHeader(header);
    if (header.height > committed.header.height && !blocks.has(hash)) links.set(hash, header);
  }
  onCert(replica, proof.cert);
}
