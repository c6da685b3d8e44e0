import type { Logger } from "@/kernel/log.ts";
import { sameBytes } from "@/std/bytes.ts";
import { type Link, type LinkParts, openLink } from "./link.ts";
import { renew } from "./renewing.ts";
import { trustedPin } from "./trust.ts";

/** A renewal that was refused is tried again after this; there are hours left for it. */
const RENEW_AGAIN_MS = 600_000;
/** A new root that could not be learned is looked at again after this; there are weeks left for it. */
const LEARN_AGAIN_MS = 60_000;

/** What a heartbeat over a connection told that may make another one wanted. */
export interface Heard {
  readonly link: Link;
  readonly poolTimeMs: number;
  /** Whether the pool has another root, and has not heard that this node keeps it. */
  readonly hasNewRoot: boolean;
}

/**
 * The connection that takes the place of the one in use, for a new root or a new certificate. It is
 * opened while that one goes on with its heartbeats: a node never stands without a connection because
 * it wants a better one.
 */
export class Successor {
  readonly #parts: LinkParts;
  readonly #log: Logger;
  readonly #isThere: () => void;
  #link: Link | undefined;
  /** Which connection is in use; one opened beside an earlier one comes too late. */
  #turn = 0;
  #isOpening = false;
  #renewAfterMs = 0;
  #learnAfterMs = 0;

  constructor(parts: LinkParts, log: Logger, isThere: () => void) {
    this.#parts = parts;
    this.#log = log;
    this.#isThere = isThere;
  }

  /** Opens another connection if there is a reason to. */
  consider({ link, poolTimeMs, hasNewRoot }: Heard): void {
    if (this.#isOpening || this.#link) return;
    const monotonicMs = this.#parts.clock.monotonic();
    const { renewAtMs } = this.#parts.keeping.membership();
    if (hasNewRoot && monotonicMs >= this.#learnAfterMs) {
      this.#learnAfterMs = monotonicMs + LEARN_AGAIN_MS;
      this.#log.info("the pool has another root; another connection fetches it");
      this.#open(this.#learned(link), "the new root was not fetched; later again");
    } else if (poolTimeMs >= renewAtMs && monotonicMs >= this.#renewAfterMs) {
      this.#renewAfterMs = monotonicMs + RENEW_AGAIN_MS;
      this.#open(this.#renewed(link), "the certificate was not renewed; later again");
    }
  }

  /** The connection once it is there; whoever takes it closes it. */
  take(): Link | undefined {
    const link = this.#link;
    this.#link = undefined;
    return link;
  }

  /** The connection in use is over: what is still being opened beside it is closed when it comes. */
  passOver(): void {
    this.#turn++;
  }

  #open(opening: Promise<Link>, problem: string): void {
    const turn = this.#turn;
    this.#isOpening = true;
    opening
      .then(
        (link) => this.#arrived(link, turn),
        (error: unknown) => this.#log.warn({ problem: textOf(error) }, problem),
      )
      .finally(() => {
        this.#isOpening = false;
      });
  }

  /** Opening a connection asks for the roots, takes over what is vouched for, and renews. */
  async #learned({ address }: Link): Promise<Link> {
    const before = trustedPin(this.#parts);
    const link = await openLink(this.#parts, address);
    // Who has learned something need not wait for the next news.
    if (!sameBytes(before, trustedPin(this.#parts))) this.#learnAfterMs = 0;
    return link;
  }

  async #renewed({ connection, address }: Link): Promise<Link> {
    await renew(this.#parts, connection);
    this.#log.info("the certificate was renewed");
    return openLink(this.#parts, address);
  }

  #arrived(link: Link, turn: number): void {
    if (turn === this.#turn) {
      this.#link = link;
      this.#isThere();
    } else link.connection.close();
  }
}

/** What went wrong, for a log. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
