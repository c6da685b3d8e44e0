import { sameBytes } from "@/std/bytes.ts";
import { isCheckpointOf, type SignedCheckpoint } from "./checkpoint.ts";
import { type Hash, leafHash, verifyConsistency, verifyInclusion } from "./merkle.ts";
import { namedCheckpoint, readCheckpoint } from "./restart.ts";

/** The newest checkpoint a witness accepted, and the key of the log it believes. */
export interface Witnessed {
  readonly publicKey: Uint8Array;
  readonly checkpoint: SignedCheckpoint;
}

/** The entry with which a log begins anew, and what proves that it is in the log offered. */
export interface Restart {
  readonly entry: Uint8Array;
  readonly index: number;
  readonly proof: readonly Hash[];
}

/** A newer checkpoint, and what is to convince a witness that knows the one of `from` entries. */
export interface Offer {
  readonly publicKey: Uint8Array;
  readonly checkpoint: string;
  readonly from: number;
  readonly proof: readonly Hash[];
  readonly restart: Restart | undefined;
}

/** What a witness makes of an offer. An alarm is for good: nothing of this log is signed after it. */
export type OfferVerdict =
  | { readonly type: "accepted"; readonly witnessed: Witnessed }
  | { readonly type: "ignored"; readonly why: string }
  | { readonly type: "alarm"; readonly why: string };

/**
 * Whether a witness may accept, and so cosign. It accepts only what its newest checkpoint is the
 * beginning of, or a log that says from which checkpoint, no older than its own, it had to begin anew.
 */
export function judgeOffer(known: Witnessed | undefined, offer: Offer): OfferVerdict {
  const checkpoint = readCheckpoint(offer.checkpoint);
  if (!checkpoint) return ignored("the pool offered what is no checkpoint");
  const publicKey = known?.publicKey ?? offer.publicKey;
  if (!sameBytes(publicKey, offer.publicKey)) {
    return alarm("the pool's audit key is another than the one this node knows");
  }
  if (!isCheckpointOf(checkpoint, publicKey)) {
    return ignored("the pool offered a checkpoint that its audit key did not sign");
  }
  const witnessed = { publicKey, checkpoint };
  if (!known) return { type: "accepted", witnessed };
  if (known.checkpoint.origin !== checkpoint.origin) return judgeRestart(known, witnessed, offer);
  return judgeGrowth(known.checkpoint, witnessed, offer);
}

function judgeGrowth(known: SignedCheckpoint, next: Witnessed, offer: Offer): OfferVerdict {
  const { size, root } = next.checkpoint;
  if (size < known.size)
    return ignored(`the pool offered ${size} entries, ${known.size} are known`);
  if (size === known.size) {
    if (sameBytes(root, known.root)) return ignored("the checkpoint is known already");
    return alarm(`the pool signed two different logs of ${size} entries`);
  }
  if (known.size === 0) return { type: "accepted", witnessed: next };
  if (offer.from !== known.size) return ignored("the proof begins at another checkpoint");
  const growth = { from: known.size, fromRoot: known.root, to: size, toRoot: root };
  if (verifyConsistency(growth, offer.proof)) return { type: "accepted", witnessed: next };
  return alarm(`the log of ${size} entries does not begin with the ${known.size} this node saw`);
}

function judgeRestart(known: Witnessed, next: Witnessed, { restart }: Offer): OfferVerdict {
  const { size, root } = next.checkpoint;
  if (!restart) return ignored("the pool began its log anew and did not say from where");
  const { entry, index, proof } = restart;
  const named = namedCheckpoint(entry, known.publicKey);
  const inclusion = { index, size, leaf: leafHash(entry), root };
  if (!named || !verifyInclusion(inclusion, proof)) {
    return ignored("the pool began its log anew and did not prove from where");
  }
  const old = known.checkpoint;
  const isHeld =
    named.origin === old.origin &&
    (named.size > old.size || (named.size === old.size && sameBytes(named.root, old.root)));
  if (isHeld) return { type: "accepted", witnessed: next };
  return alarm(
    `the pool began its log anew from ${named.size} entries of ${named.origin}; this node saw ${old.size} of ${old.origin}`,
  );
}

function ignored(why: string): OfferVerdict {
  return { type: "ignored", why };
}

function alarm(why: string): OfferVerdict {
  return { type: "alarm", why };
}
