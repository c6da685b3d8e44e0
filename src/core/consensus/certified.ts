import { hasItsPayload } from "./block.ts";
import { addBlock } from "./blocks.ts";
import { hasSigned, isSameBallot, votesOf } from "./certificates.ts";
import { isForgotten } from "./durable.ts";
import { alarm, report } from "./emit.ts";
import { contradict, findCulprits, findOffence } from "./evidence.ts";
import type { Certified, Replica } from "./state.ts";
import type { Ballot, Cert, Proposed, Vote } from "./types.ts";

/** What every verified certificate tells, whatever it is for. */

/** Views back from mine for which commit votes are still counted, and certificates remembered. */
export const VIEWS_KEPT = 8;

/** Only one block is certified in a view (S3): two mean that more than f lie. */
export function noteCertified(replica: Replica, cert: Cert): void {
  const known = replica.certs.get(cert.view);
  if (cert.view === 0 || known?.[cert.kind] === cert) return;
  if (replica.me !== null && hasSigned(cert, replica.me)) checkMemory(replica, cert);
  if (known === undefined || known.block === cert.block) remember(replica, cert, known);
  else onSecondBlock(replica, cert, known);
}

/** The evidence is kept, and I stop (section 1). */
function onSecondBlock(replica: Replica, cert: Cert, { P, C }: Certified): void {
  const culprits = [P, C].flatMap((other) => (other ? findCulprits(other, cert) : []));
  for (const culprit of culprits) report(replica, culprit);
  alarm(replica, "safety", `two blocks are certified in view ${cert.view}`);
}

/** Something that carries my signature: my record must know of it (§4.1). */
export function checkMemory(replica: Replica, said: Ballot | Proposed): void {
  if (isForgotten(replica.durable, said))
    alarm(replica, "amnesia", `my record does not know what I said in view ${said.view}`);
}

function remember(replica: Replica, cert: Cert, known: Certified | undefined): void {
  const before = known?.[cert.kind];
  if (!before || !isSameSigners(before, cert)) compareWithVotes(replica, cert);
  if (before) return;
  const certified = known ?? { block: cert.block, P: null, C: null };
  certified[cert.kind] = cert;
  if (cert.view >= replica.view - VIEWS_KEPT) replica.certs.set(cert.view, certified);
  // A body that came before anybody could know that it matters; it may have been spoilt on its way.
  const block = replica.proposals.get(cert.view)?.first.block;
  if (block?.hash === cert.block && hasItsPayload(block)) addBlock(replica, block);
}

function isSameSigners({ bitmap }: Cert, other: Cert): boolean {
  return bitmap.every((byte, at) => byte === other.bitmap[at]);
}

/** A vote may come after a certificate that holds one its signer contradicts with it. */
export function compareWithCerts(replica: Replica, vote: Vote): void {
  const { certs, view } = replica;
  const same = certs.get(vote.view)?.[vote.kind];
  if (same && contradict(same, vote)) reportSigner(replica, same, vote);
  // Every certificate is of a view I have left: mostly there is none that could be at odds with a vote.
  const mayOppose = vote.kind === "P" ? vote.justifyView < vote.view - 1 : vote.view < view - 1;
  if (!mayOppose) return;
  for (const { P, C } of certs.values()) {
    const cert = vote.kind === "P" ? C : P;
    if (cert && contradict(cert, vote)) reportSigner(replica, cert, vote);
  }
}

/** A certificate holds votes: who has signed it, and sent me something else, has lied (section 12). */
function compareWithVotes(replica: Replica, cert: Cert): void {
  for (const vote of opposed(replica, cert)) reportSigner(replica, cert, vote);
}

/** The signer of this vote has lied, if it has signed the certificate too. */
function reportSigner(replica: Replica, cert: Cert, vote: Vote): void {
  if (!hasSigned(cert, vote.signer)) return;
  const signed = votesOf(cert).find(({ signer }) => signer === vote.signer);
  if (signed) report(replica, findOffence(vote, signed));
}

/** Votes I hold that nobody honest gives together with one in this certificate. */
function opposed({ votes, commitVotes }: Replica, cert: Cert): readonly Vote[] {
  const [same, others] = cert.kind === "P" ? [votes, commitVotes] : [commitVotes, votes];
  const found = [...(same.get(cert.view)?.values() ?? [])].filter(
    (vote) => !isSameBallot(vote, cert),
  );
  if (cert.kind === "P" && cert.justifyView === cert.view - 1) return found;
  for (const [view, cast] of others) {
    const isBetween = cert.kind === "C" ? view > cert.view : view > cert.justifyView;
    if (isBetween) found.push(...cast.values());
  }
  return found;
}
