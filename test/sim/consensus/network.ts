import type { Message } from "@/core/consensus/messages.ts";
import { type Dice, LUCK, logUniform } from "./dice.ts";
import type { FaultSort, Faults } from "./faults.ts";
import { describeMessage } from "./journal.ts";
import type { Options } from "./options.ts";
import { typeOf } from "./story-wires.ts";

/** What becomes of one message: after how long it arrives, once or twice, or not at all. */
export type Fate = readonly number[];

const LOST: Fate = [];

/**
 * The network of a run: until it heals it loses, repeats, delays and reorders messages and falls
 * into parts; afterwards a message takes at most Δ.
 */
export class Network {
  readonly #options: Options;
  readonly #dice: Dice;
  readonly #faults: Faults;
  readonly #sent: Int32Array;
  readonly #size: number;
  readonly #cuts = new Map<number, Cut>();
  isHealed = false;

  constructor(options: Options, dice: Dice, faults: Faults, size: number) {
    this.#options = options;
    this.#dice = dice;
    this.#faults = faults;
    this.#size = size;
    this.#sent = new Int32Array(size * size);
  }

  fate(at: number, from: number, to: number, message: Message): Fate {
    const link = from * this.#size + to;
    const count = (this.#sent[link] ?? 0) + 1;
    this.#sent[link] = count;
    if (this.isHealed) {
      const { drizzle } = this.#options;
      const isLost = drizzle > 0 && this.#dice.throw(LUCK.loss, link, count) < drizzle;
      return isLost ? LOST : [this.#healedDelay(link, count)];
    }
    if (this.#isCut(at, from, to)) return LOST;
    return this.#badLuck(at, { link, count, message, from, to });
  }

  #badLuck(at: number, sent: Sent): Fate {
    const { duplication, deltaMs } = this.#options;
    const { link, count, message } = sent;
    const loss = this.#loss(message);
    const isLost = loss > 0 && this.#dice.throw(LUCK.loss, link, count) < loss;
    if (isLost && this.#may(at, "lose", sent)) return LOST;
    const delay = this.#delay(sent, 0);
    const isSpared = delay > deltaMs && !this.#may(at, "delay", sent);
    const first = isSpared ? deltaMs : delay;
    const isTwice = duplication > 0 && this.#dice.throw(LUCK.duplicate, link, count) < duplication;
    return isTwice && this.#may(at, "repeat", sent) ? [first, this.#delay(sent, 1)] : [first];
  }

  #may(at: number, sort: FaultSort, { from, to, count, message }: Sent): boolean {
    return this.#faults.mayOnce(sort, () => ({
      name: `${sort} ${from}>${to}#${count}`,
      at,
      what: () => describeMessage(message),
    }));
  }

  #loss(message: Message): number {
    const { loss, lossy, lossyChance } = this.#options;
    return lossy.includes(typeOf(message)) ? lossyChance : loss;
  }

  #delay({ link, count, from }: Sent, again: number): number {
    const { delayMsMin, delayMsMax, slow } = this.#options;
    const thrown = this.#dice.throw(LUCK.delay, link, count, again);
    return logUniform(thrown, delayMsMin, delayMsMax) * (from === slow ? 10 : 1);
  }

  #healedDelay(link: number, count: number): number {
    const { delayMsMin, deltaMs } = this.#options;
    const most = Math.min(0.8 * deltaMs, this.#options.delayMsMax);
    return logUniform(this.#dice.throw(LUCK.delay, link, count), delayMsMin, most);
  }

  /** Time is cut into periods; in each, the seed says which links are cut. */
  #isCut(at: number, from: number, to: number): boolean {
    const { partition, partitionMs } = this.#options;
    if (partition === "none") return false;
    const period = Math.floor(at / (partition === "flapping" ? partitionMs / 10 : partitionMs));
    const cut = this.#cuts.get(period) ?? this.#cut(period);
    const { sides } = cut;
    if (sides.length === 0) return false;
    if (!this.#isBetween(sides, from, to)) return false;
    cut.may ??= this.#faults.may(at, "cut", `${period}`, `${partition} ${sides.join("")}`);
    return cut.may;
  }

  #isBetween(sides: readonly number[], from: number, to: number): boolean {
    const a = sides[from] ?? 0;
    const b = sides[to] ?? 0;
    if (this.#options.partition === "one_way") return a === 1 && b === 0;
    if (this.#options.partition === "ring") {
      const apart = (to - from + this.#size) % this.#size;
      return apart !== 1 && apart !== this.#size - 1;
    }
    return a !== b;
  }

  #cut(period: number): Cut {
    const isOn = this.#dice.throw(LUCK.partition, period) < 0.6;
    const cut: Cut = { sides: isOn ? this.#sides(period) : [], may: null };
    this.#cuts.set(period, cut);
    return cut;
  }

  #sides(period: number): readonly number[] {
    const alone = Math.floor(this.#dice.throw(LUCK.partition, period, 1) * this.#size);
    return Array.from({ length: this.#size }, (_, id) => {
      if (this.#options.partition === "isolate") return id === alone ? 1 : 0;
      return this.#dice.throw(LUCK.partition, period, 2 + id) < 0.5 ? 1 : 0;
    });
  }
}

/** Who is on which side for a while, and whether that may happen, once it was asked. */
interface Cut {
  readonly sides: readonly number[];
  may: boolean | null;
}

interface Sent {
  readonly link: number;
  readonly count: number;
  readonly to: number;
  readonly message: Message;
  readonly from: number;
}
