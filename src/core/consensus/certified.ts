import { addBlock } from "./blocks.ts";
import { hasSigned } from "./certificates.ts";
import { isForgotten } from "./durable.ts";
import { alarm, report } from "./emit.ts";
import { findCulprits } from "./evidence.ts";
import type { Replica } from "./state.ts";
import type { Ballot, Cert, Proposed } from "./types.ts";

/** What every verified certificate tells, whatever it is for. */

/** Views back from mine for which commit votes are still counted, and certificates remembered. */
export const VIEWS_KEPT = 8;

/**
 * Only one block is certified in a view (S3): two mean that more than f lie. It also brings a body
 * that came before anybody could know that it matters.
 */
export function noteCertified(replica: Replica, cert: Cert): void {
  const known = replica.certs.get(cert.view);
  if (cert.view === 0 || known === cert) return;
  if (replica.me !== null && hasSigned(cert, replica.me)) checkMemory(replica, cert);
  if (known === undefined) remember(replica, cert);
  else if (known.block !== cert.block) {
    for (const culprit of findCulprits(known, cert)) report(replica, culprit);
    alarm(replica, "safety", `two blocks are certified in view ${cert.view}`);
  }
}

function remember(replica: Replica, cert: Cert): void {
  if (cert.view >= replica.view - VIEWS_KEPT) replica.certs.set(cert.view, cert);
  const proposal = replica.proposals.get(cert.view)?.first;
  if (proposal?.block.hash === cert.block) addBlock(replica, proposal.block);
}

/** Something that carries my signature: my record must know of it (§4.1). */
export function checkMemory(replica: Replica, said: Ballot | Proposed): void {
  if (isForgotten(replica.durable, said))
    alarm(replica, "amnesia", `my record does not know what I said in view ${said.view}`);
}
