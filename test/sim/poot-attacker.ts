import { decodeClaim, encodeClaim, signClaim } from "@/core/poot/claim.ts";
import type { ClaimAndReceipt, HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import { NO_HASH } from "@/core/poot/message.ts";
import { encodeOpen, sessionIdOf, signOpen } from "@/core/poot/open.ts";
import { decodeReceipt, issueReceipt, type ReceiptMasters } from "@/core/poot/receipt.ts";
import type { Slot } from "@/core/poot/slot.ts";
import { sameBytes } from "@/std/bytes.ts";
import { type SigningKey, sha256 } from "@/std/crypto.ts";

/** What an attacker MACs with: the right key id, another secret. */
const FALSE_MASTERS: ReceiptMasters = { current: { keyId: 1, secret: new Uint8Array(32) } };

/**
 * What nodes that cheat think up: replays, forks, rolled-back and foreign RECEIPTs, sessions side by
 * side, forged MACs, things handed in that do not belong together. They hear all that is said.
 */
export class Attackers {
  readonly #random: () => number;
  readonly #poolKey: Uint8Array;
  readonly #slotSeconds: number;
  readonly #loot: ClaimAndReceipt[] = [];
  readonly #sent: { readonly who: SigningKey; readonly bytes: HeartbeatBytes }[] = [];

  constructor(random: () => number, poolKey: Uint8Array, slotSeconds: number) {
    this.#random = random;
    this.#poolKey = poolKey;
    this.#slotSeconds = slotSeconds;
  }

  /** A heartbeat was sent; attackers hear it. */
  hear(who: SigningKey, bytes: HeartbeatBytes): void {
    this.#sent.push({ who, bytes });
  }

  /** A heartbeat was accepted; its CLAIM and RECEIPT are worth trying again. */
  keep(pair: ClaimAndReceipt): void {
    this.#loot.push(pair);
  }

  /** The next attempt of a cheating node. */
  plot(who: SigningKey, now: Slot): HeartbeatBytes | undefined {
    const move = this.#int(12);
    if (move < 2) return this.#replay(who);
    if (move < 4) return this.#openSession(who, now);
    return this.#continueFrom(who, now, move < 8 ? this.#newestLoot(who) : this.#anyLoot());
  }

  #replay(who: SigningKey): HeartbeatBytes | undefined {
    const own = this.#sent.filter((sent) => sent.who === who);
    return own[this.#int(own.length)]?.bytes;
  }

  #anyLoot(): ClaimAndReceipt | undefined {
    return this.#loot[this.#int(this.#loot.length)];
  }

  #newestLoot(who: SigningKey): ClaimAndReceipt | undefined {
    return this.#loot.findLast(({ claim }) => isHis(who, claim));
  }

  #openSession(who: SigningKey, now: Slot): HeartbeatBytes {
    const shift = this.#chance(0.3) ? this.#int(12) - 9 : 0;
    const ticks = this.#chance(0.2) ? 1 + this.#int(5) : 1;
    const open = signOpen(
      {
        nodeKey: who.publicKey,
        poolKey: this.#poolKey,
        startSlot: now + shift,
        slotSeconds: this.#slotSeconds,
        flags: this.#int(2),
        prev: NO_HASH,
      },
      who,
    );
    const claim = {
      session: sessionIdOf(open),
      nodeKey: who.publicKey,
      poolKey: this.#poolKey,
      fromSlot: open.startSlot + (this.#chance(0.1) ? this.#int(12) - 6 : 0),
      toSlot: now,
      ticks,
      receiptHash: NO_HASH,
      healthPermille: 1000,
      flags: 0,
      prev: NO_HASH,
    };
    const handedIn = this.#chance(0.6) ? this.#anyHandIn(who, now) : undefined;
    const bytes = encodeOpen(open);
    return { open: bytes, claim: encodeClaim(signClaim(claim, who)), handedIn };
  }

  /** A pair that belongs together, or one that does not. */
  #anyHandIn(who: SigningKey, now: Slot): ClaimAndReceipt | undefined {
    const claim = this.#chance(0.7) ? this.#newestLoot(who) : this.#anyLoot();
    const receipt = this.#chance(0.7) ? claim : this.#anyLoot();
    if (!claim || !receipt) return undefined;
    if (this.#chance(0.8)) return { claim: claim.claim, receipt: receipt.receipt };
    return this.#forgeHandIn(who, now, receipt.receipt);
  }

  /** A CLAIM of more ticks, which the attacker may sign, and a RECEIPT it may not make. */
  #forgeHandIn(who: SigningKey, now: Slot, receipt: Uint8Array): ClaimAndReceipt | undefined {
    const said = decodeReceipt(receipt);
    const own = this.#continueFrom(who, now, this.#newestLoot(who));
    if (!own) return undefined;
    const claim = signClaim({ ...decodeClaim(own.claim), ticks: said.ticks + 5 }, who);
    const parties = { nodeKey: who.publicKey, poolKey: this.#poolKey };
    const claimHash = sha256(encodeClaim(claim));
    const fields = { ...said, session: claim.session, ticks: claim.ticks, claimHash };
    return { claim: encodeClaim(claim), receipt: issueReceipt(FALSE_MASTERS, fields, parties) };
  }

  #continueFrom(
    who: SigningKey,
    now: Slot,
    loot: ClaimAndReceipt | undefined,
  ): HeartbeatBytes | undefined {
    if (!loot) return undefined;
    const receipt = this.#chance(0.05) ? this.#forge(who, loot.receipt) : loot.receipt;
    const said = decodeReceipt(receipt);
    const claim = {
      session: said.session,
      nodeKey: who.publicKey,
      poolKey: this.#poolKey,
      fromSlot: said.openSlot + (this.#chance(0.1) ? this.#int(12) - 6 : 0),
      toSlot: now + (this.#chance(0.1) ? this.#int(5) - 2 : 0),
      ticks: said.ticks + (this.#chance(0.1) ? this.#int(9) : 1),
      receiptHash: sha256(receipt),
      healthPermille: 1000,
      flags: 0,
      prev: said.claimHash,
    };
    return { claim: encodeClaim(signClaim(claim, who)), receipt };
  }

  /** A RECEIPT the attacker makes up, with a secret of its own. */
  #forge(who: SigningKey, receipt: Uint8Array): Uint8Array {
    const parties = { nodeKey: who.publicKey, poolKey: this.#poolKey };
    const said = decodeReceipt(receipt);
    return issueReceipt(FALSE_MASTERS, { ...said, ticks: said.ticks + 5 }, parties);
  }

  #int(below: number): number {
    return Math.floor(this.#random() * below);
  }

  #chance(probability: number): boolean {
    return this.#random() < probability;
  }
}

function isHis(who: SigningKey, claim: Uint8Array): boolean {
  return sameBytes(claim.subarray(24, 56), who.publicKey);
}
