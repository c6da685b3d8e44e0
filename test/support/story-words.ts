import type { Effect } from "@/core/consensus/events.ts";
import type { Message, Outgoing } from "@/core/consensus/messages.ts";
import type { Replica } from "@/core/consensus/state.ts";
import type { Block, Cert, Hash, PublicKey } from "@/core/consensus/types.ts";

/** How a story calls things. Blocks are named by their view: B6, and B6' for another one of view 6. */
export class Words {
  readonly #blocks = new Map<Hash, string>();
  readonly #nodeOf: (key: PublicKey) => number;

  constructor(nodeOf: (key: PublicKey) => number) {
    this.#nodeOf = nodeOf;
  }

  name({ hash, header }: Block): void {
    if (this.#blocks.has(hash)) return;
    let name = `B${header.view}`;
    while ([...this.#blocks.values()].includes(name)) name += "'";
    this.#blocks.set(hash, name);
  }

  block(hash: Hash): string {
    return this.#blocks.get(hash) ?? "the genesis";
  }

  cert({ kind, view, block }: Cert): string {
    return kind === "P"
      ? `C_${view}(${this.block(block)})`
      : `C_${view}(C_${view}(${this.block(block)}))`;
  }

  /** What a message is called by who delivers it. */
  label(message: Message | Outgoing): string {
    switch (message.type) {
      case "proposal":
        return `Proposal(${this.block(message.block.hash)})`;
      case "vote":
        return `${message.kind === "P" ? "Vote" : "CommitVote"}(${this.block(message.block)})`;
      case "prepare":
      case "decide":
        return `${message.type === "prepare" ? "Prepare" : "Decide"}(${this.block(message.cert.block)})`;
      case "new_view":
        return `NewView(${message.view})`;
      case "wish":
        return `Wish(${message.wishView})`;
      case "tc":
        return `TC(${message.tc.view})`;
      case "blocks":
        return `Blocks(${message.blocks.map(({ hash }) => this.block(hash)).join(" ")})`;
      default:
        return message.type;
    }
  }

  /** A message with what matters in it. */
  message(message: Message | Outgoing): string {
    const label = this.label(message);
    if (message.type === "proposal") {
      const by = message.entry ? ` by TC(${message.entry.view})` : "";
      const { txCount } = message.block.header;
      return `${label} on ${this.cert(message.justify)}${by}${txCount === 0 ? ", empty" : ""}`;
    }
    if (message.type === "new_view") return `${label} with ${this.cert(message.highCert)}`;
    return label;
  }

  /** What an effect means to who reads; null for what goes without saying. */
  effect(effect: Effect): string | null {
    switch (effect.type) {
      case "send": {
        if (effect.message.type === "status") return null;
        const to = effect.to === "all" ? "all" : effect.to.map(this.#nodeOf).join(" and ");
        return `sends ${this.message(effect.message)} to ${to}`;
      }
      case "set_timer":
        return effect.timer === "status" ? null : `sets ${effect.timer} to ${effect.ms} ms`;
      case "cancel_timer":
        return `cancels ${effect.timer}`;
      case "fetch":
        return `asks ${effect.from.map(this.#nodeOf).join(", ")} for ${this.block(effect.hash)}`;
      case "commit":
        return `commits ${effect.blocks.map(({ hash }) => this.block(hash)).join(", ")}`;
      case "evidence":
        return `reports ${effect.evidence.type.replaceAll("_", " ")} of ${effect.evidence.first.signer}`;
      case "alarm":
        return `raises the alarm: ${effect.alarm}`;
      case "trace":
        return `notes: ${effect.what.replaceAll("_", " ")}`;
      case "gossip":
        return "gossips its transactions";
      case "readmit":
        return `takes back the transactions of ${this.block(effect.block.hash)}`;
      case "switch_epoch":
        return `begins epoch ${effect.committee.epoch}`;
      default:
        return null;
    }
  }

  /** What changed in a replica without an effect. */
  changes(before: Whereabouts, { view, enteredBy, durable, status }: Readonly<Replica>): string[] {
    const how = { cert: "certificate", tc: "timeout", timer: "time", boot: "booting" }[enteredBy];
    return [
      ...(view === before.view ? [] : [`enters ${view} by ${how}`]),
      ...(durable.lock === before.lock || before.lock === undefined
        ? []
        : [`locks ${this.cert(durable.lock)}`]),
      ...(status === before.status ? [] : [status === "idle" ? "falls idle" : "wakes up"]),
    ];
  }
}

/** What a story tells of a replica when it changes. */
export interface Whereabouts {
  readonly view: number;
  readonly lock: Cert | undefined;
  readonly status: "active" | "idle";
}
