import type { Effect, Event } from "@/core/consensus/events.ts";
import type { Message, Outgoing } from "@/core/consensus/messages.ts";
import type { Ballot, Hash, PublicKey } from "@/core/consensus/types.ts";
import { short } from "./ballots.ts";
import type { Host } from "./host.ts";

interface Line {
  readonly at: number;
  readonly id: number;
  readonly view: number;
  readonly event: Event;
  readonly effects: readonly Effect[];
}

const KEPT = 200;

/** The last events, written out only when somebody wants to read them, and the hash of all (S14). */
export class Journal {
  /** Lines written, kept or not. */
  count = 0;
  readonly #lines: Line[] = [];
  readonly #idOf: (key: PublicKey) => number;
  #low = 0x811c9dc5;
  #high = 0x01000193;

  constructor(idOf: (key: PublicKey) => number) {
    this.#idOf = idOf;
  }

  add(at: number, host: Host, event: Event, effects: readonly Effect[]): void {
    const view = host.state?.replica.view ?? 0;
    if (!isHeartbeat(event)) {
      this.#lines[this.count % KEPT] = { at, id: host.id, view, event, effects };
      this.count++;
    }
    this.#mix(host.id);
    this.#mix(view);
    this.#mix(event.now);
    this.#mixText(event.type);
    this.#mix(effects.length);
    this.#mix(host.state?.replica.durable.highCert.view ?? 0);
    this.#mix(host.committed.header.height);
    if (event.type === "message") this.#mixText(event.message.type);
    for (const effect of effects) this.#mixText(effect.type);
  }

  /** The same in every run of the same seed. */
  get hash(): string {
    return (this.#high >>> 0).toString(16).padStart(8, "0") + (this.#low >>> 0).toString(16);
  }

  #mix(number: number): void {
    this.#low = Math.imul(this.#low ^ number, 0x01000193);
    this.#high = Math.imul(this.#high ^ this.#low, 0x85ebca6b) ^ (this.#low >>> 15);
  }

  #mixText(text: string): void {
    this.#mix(text.charCodeAt(0) * 65_536 + text.charCodeAt(text.length - 1) * 256 + text.length);
  }

  /** The last events, oldest first. */
  last(count = KEPT): readonly string[] {
    const from = Math.max(0, this.count - Math.min(count, KEPT));
    return Array.from({ length: this.count - from }, (_, at) => {
      const line = this.#lines[(from + at) % KEPT];
      return line ? this.#write(line) : "";
    });
  }

  #write({ at, id, view, event, effects }: Line): string {
    const said = effects.flatMap((effect) => describeEffect(effect, this.#idOf));
    const what = describeEvent(event, this.#idOf);
    return `${at.toFixed(1).padStart(9)}  ${id} v${view}  ${what}${said.length ? ` → ${said.join("; ")}` : ""}`;
  }
}

/** Says where everybody is, again and again; not worth a line. */
function isHeartbeat(event: Event): boolean {
  if (event.type === "timer") return event.timer === "status";
  return event.type === "message" && event.message.type === "status";
}

type IdOf = (key: PublicKey) => number;
/** How a block is called. */
export type NameOf = (hash: Hash) => string;

/** An event in a few words. */
export function describeEvent(event: Event, idOf: IdOf): string {
  switch (event.type) {
    case "message":
      return `${idOf(event.from)}: ${describeMessage(event.message)}`;
    case "timer":
      return `timer ${event.timer}`;
    case "boot":
      return event.durable ? "boots" : "boots as an observer";
    case "payload_ready":
      return `payload for ${event.view}: ${event.payload?.inline.length ?? "nothing"}`;
    case "block_stored":
      return `stored ${short(event.hash)}`;
    case "executed":
      return `executed ${event.height}`;
    case "work":
      return event.pending ? "has work" : "has no work";
    case "clock_health":
      return `clock ${event.ok ? "good" : "bad"}`;
    case "epoch_start":
      return `proof that epoch ${event.proof.cert.epoch} ended`;
  }
}

/** A message in a few words. */
export function describeMessage(message: Message | Outgoing, name: NameOf = short): string {
  switch (message.type) {
    case "proposal": {
      const { hash, header } = message.block;
      const entry = message.entry ? ` by TC(${message.entry.view})` : "";
      return `proposal ${header.view} ${name(hash)} on ${describeCert(message.justify, name)}${entry}`;
    }
    case "vote":
      return `${message.kind === "P" ? "vote" : "commit vote"} ${message.view} ${name(message.block)}`;
    case "prepare":
    case "decide":
      return `${message.type} ${describeCert(message.cert, name)}`;
    case "new_view":
      return `new view ${message.view} with ${describeCert(message.highCert, name)}`;
    case "wish":
      return `wish ${message.wishView}`;
    case "tc":
      return `TC(${message.tc.view})`;
    case "status":
      return `status view ${message.view} height ${message.committedHeight}`;
    case "blocks":
      return `blocks ${message.blocks.map(({ hash }) => name(hash)).join(" ")}`;
    case "get_blocks":
      return `get blocks ${name(message.from)} above ${message.untilHeight}`;
    default:
      return message.type;
  }
}

/** A certificate in a few words: C_v(B), or CC_v(B) for one that commits. */
export function describeCert({ kind, view, block }: Ballot, name: NameOf = short): string {
  return `${kind === "P" ? "C" : "CC"}_${view}(${name(block)})`;
}

/** An effect in a few words; what says nothing new is left out. */
export function describeEffect(effect: Effect, idOf: IdOf): readonly string[] {
  switch (effect.type) {
    case "send": {
      const to = effect.to === "all" ? "all" : effect.to.map(idOf).join();
      return [`to ${to}: ${describeMessage(effect.message)}`];
    }
    case "set_timer":
      return [`${effect.timer} in ${Math.round(effect.ms)}`];
    case "commit":
      return [`COMMIT ${effect.blocks.map(({ header }) => header.height).join()}`];
    case "fetch":
      return [`fetch ${short(effect.hash)}`];
    case "evidence":
      return [`evidence ${effect.evidence.type} of ${effect.evidence.first.signer}`];
    case "alarm":
      return [`ALARM ${effect.alarm}: ${effect.why}`];
    case "switch_epoch":
      return [`epoch ${effect.committee.epoch}`];
    case "build_payload":
      return [`build for ${effect.view}`];
    case "trace":
      return [effect.what];
    case "persist":
    case "cancel_timer":
    case "store_block":
    case "serve_epochs":
    case "readmit":
    case "gossip":
      return [];
  }
}
