import { type Caller, denied, nodeCaller } from "@/core/caller.ts";
import { isId, type NodeId } from "@/core/ids.ts";
import { type Node, requireWelcome } from "@/core/node.ts";
import { sameBytes } from "@/std/bytes.ts";
import { verifySignature } from "@/std/crypto.ts";
import { type Enrolled, type IssuingParts, keyIn, RENEWABLE_MS } from "./issuing.ts";
import { clockUntrusted, renewalRefused, renewalTooLate } from "./refusals.ts";

/** What a node renews with. */
export interface RenewalRequest {
  readonly csr: Uint8Array;
  /** With a new key: the registered key's signature of the request. */
  readonly oldKeySignature: Uint8Array;
  /** Which node asks, when it comes without a certificate. */
  readonly node: string;
  /** The pin of the newest root the node keeps; empty when it does not say. */
  readonly trustedPin: Uint8Array;
}

/** Renews certificates, and moves nodes to new keys (trust.md, section 2, steps 7 and 9). */
export class Renewal {
  readonly #parts: IssuingParts;

  constructor(parts: IssuingParts) {
    this.#parts = parts;
  }

  /** The next certificate of the caller, or of the node that signs with its registered key. */
  async renew(caller: Caller | undefined, request: RenewalRequest): Promise<Enrolled> {
    if (!this.#parts.time().trusted) throw clockUntrusted();
    const id = idOf(caller, request);
    const node = isId(id) ? this.#parts.registry.findNode(id as NodeId) : undefined;
    const publicKey = await keyIn(this.#parts.certificates, request.csr);
    if (!node || !publicKey) throw renewalRefused();
    const isSame = sameBytes(publicKey, node.publicKey);
    const { csr, oldKeySignature } = request;
    if (!isSame && !verifySignature(node.publicKey, csr, oldKeySignature)) throw renewalRefused();
    requireWelcome(node);
    if (!caller?.node) await this.#requireRenewable(node.id);
    return isSame ? this.#renewSame(node) : this.#rotate(node, publicKey);
  }

  async #requireRenewable(node: NodeId): Promise<void> {
    const notAfterMs = (await this.#parts.keys.notAfterMs(node)) ?? 0;
    if (this.#parts.time().nowMs - notAfterMs > RENEWABLE_MS) throw renewalTooLate();
  }

  async #renewSame(node: Node): Promise<Enrolled> {
    const { authority, database, keys, audit } = this.#parts;
    const certificate = await authority.issueNode(
      node.id,
      node.publicKey,
      this.#parts.time().nowMs,
    );
    await database.commit([
      keys.certified(node.id, certificate.notAfterMs),
      audit.row(nodeCaller(node.id), "certificate.renewed", node.id),
    ]);
    return { node, certificate };
  }

  /** From this commit on the old key opens nothing; id, balance and history stay. */
  async #rotate(node: Node, publicKey: Uint8Array): Promise<Enrolled> {
    const { authority, database, keys, registry } = this.#parts;
    const { nowMs } = this.#parts.time();
    await keys.requireUnseen(publicKey);
    const certificate = await authority.issueNode(node.id, publicKey, nowMs);
    const pending = registry.rotation(nodeCaller(node.id), node.id, publicKey);
    try {
      await database.commit([
        ...pending.writes,
        keys.retire(node.id, node.publicKey, nowMs),
        keys.certified(node.id, certificate.notAfterMs),
      ]);
      return { node: pending.done(), certificate };
    } catch (error) {
      pending.release();
      throw error;
    }
  }
}

/** Who renews: the caller, who may not name another node, or else the node named. */
function idOf(caller: Caller | undefined, { node }: RenewalRequest): string {
  if (caller?.node === undefined || node === "") return caller?.node ?? node;
  if (caller.node !== node) throw denied("renew another node");
  return node;
}
