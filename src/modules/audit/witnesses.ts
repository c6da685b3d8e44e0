import { formatCheckpoint, isCheckpointOf } from "@/core/audit/checkpoint.ts";
import { isOriginIn, witnessKey } from "@/core/audit/log-names.ts";
import { readCheckpoint } from "@/core/audit/restart.ts";
import type { Offer } from "@/core/audit/witness.ts";
import type { NodeId } from "@/core/ids.ts";
import type { Registry } from "@/modules/registry/service.ts";
import type { Clock } from "@/ports/clock.ts";
import type { AuditLog } from "./log.ts";

const CLAIM_CHARACTERS_MAX = 4_096;
/** A node says something new once a checkpoint; more often it is not listened to. */
const CLAIM_MS_MIN = 1_000;

/** What a node said it has. */
interface Held {
  readonly origin: string;
  readonly size: number;
  readonly saidMs: number;
  /** The text of what was offered to it since. */
  readonly offered: string;
}

/** The nodes as witnesses: what each holds, what to offer it, and its cosignature. */
export class Witnesses {
  readonly #log: AuditLog;
  readonly #registry: Pick<Registry, "findNode">;
  readonly #clock: Pick<Clock, "monotonic">;
  readonly #installation: string;
  readonly #held = new Map<NodeId, Held>();
  /** Most nodes hold the same checkpoint: what to offer them is made once. */
  readonly #offers = new Map<string, Offer>();
  #offersOf = "";

  constructor(parts: {
    readonly log: AuditLog;
    readonly registry: Pick<Registry, "findNode">;
    readonly clock: Pick<Clock, "monotonic">;
    readonly installation: string;
  }) {
    this.#log = parts.log;
    this.#registry = parts.registry;
    this.#clock = parts.clock;
    this.#installation = parts.installation;
  }

  /** How many nodes said what they hold since the start. */
  get count(): number {
    return this.#held.size;
  }

  /** Takes what a node says it has; anything that is not a checkpoint of ours says: nothing. */
  take(id: NodeId, text: string): void {
    const saidMs = this.#clock.monotonic();
    const before = this.#held.get(id);
    if (before && saidMs - before.saidMs < CLAIM_MS_MIN) return;
    const node = this.#registry.findNode(id);
    if (!node) return;
    const checkpoint = text.length <= CLAIM_CHARACTERS_MAX ? readCheckpoint(text) : undefined;
    const isOurs =
      checkpoint !== undefined &&
      isOriginIn(this.#installation, checkpoint.origin) &&
      isCheckpointOf(checkpoint, this.#log.publicKey);
    const { origin, size } = isOurs ? checkpoint : { origin: "", size: 0 };
    this.#held.set(id, { origin, size, saidMs, offered: "" });
    if (!isOurs) return;
    this.#log.shown(checkpoint);
    this.#log.cosign(checkpoint, witnessKey(node.id, node.publicKey));
  }

  /** What to offer a node: once, and only what is newer than what it holds. */
  offerFor(id: NodeId): Offer | undefined {
    const held = this.#held.get(id);
    const newest = this.#log.newest;
    if (!held || !newest || held.offered === newest.note.text) return undefined;
    const offer = this.#offerFrom(held);
    if (offer) this.#held.set(id, { ...held, offered: newest.note.text });
    return offer;
  }

  #offerFrom({ origin, size }: Held): Offer | undefined {
    const newest = this.#log.newest;
    if (!newest || this.#log.fault !== undefined) return undefined;
    if (newest.note.text !== this.#offersOf) {
      this.#offers.clear();
      this.#offersOf = newest.note.text;
    }
    const key = `${size} ${origin}`;
    const offer = this.#offers.get(key) ?? this.#madeOffer(origin, size);
    if (offer) this.#offers.set(key, offer);
    return offer;
  }

  #madeOffer(origin: string, size: number): Offer | undefined {
    const newest = this.#log.newest;
    const tree = this.#log.whole;
    if (!newest || !tree || newest.origin !== tree.origin || newest.size > tree.size)
      return undefined;
    const publicKey = this.#log.publicKey;
    const offer = { publicKey, checkpoint: formatCheckpoint(newest), restart: undefined };
    if (origin === "") return { ...offer, from: 0, proof: [] };
    if (origin === newest.origin) {
      if (size >= newest.size) return undefined;
      return { ...offer, from: size, proof: tree.consistencyProof(size, newest.size) };
    }
    const named = tree.named(origin);
    if (!named || named.checkpoint.size < size || named.leaf >= newest.size) return undefined;
    const proof = tree.inclusionProof(named.leaf, newest.size);
    const restart = { entry: named.entry, index: named.leaf, proof };
    return { ...offer, from: 0, proof: [], restart };
  }
}
