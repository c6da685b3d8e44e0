import type { Durable } from "@/core/consensus/durable.ts";
import type { Alarm, Effect, Event } from "@/core/consensus/events.ts";
import type { Evidence } from "@/core/consensus/evidence.ts";
import type { Message } from "@/core/consensus/messages.ts";
import type { Signer } from "@/core/consensus/signatures.ts";
import type { Block, Cert, PublicKey } from "@/core/consensus/types.ts";
import type { Agenda } from "./agenda.ts";
import type { Application, AppState } from "./application.ts";
import type { Book, Core } from "./core.ts";
import type { Host } from "./host.ts";

/** Where a process can be struck by a crash. */
export type CrashPoint = "before effect" | "before send" | "between sends" | "after sync";

/** What a process does wrong on purpose, though the core it runs is right. */
export interface HostBugs {
  /** Does not wait until what enables a message is durable. */
  readonly sendsBeforeSync?: boolean;
  /** Hands itself its own messages before they are durable. */
  readonly hearsItselfEarly?: boolean;
  /** Believes what it is told without a look at the signatures. */
  readonly believesAll?: boolean;
}

/** What one process needs of the world around it; a simulation or a story provides it. */
export interface Surroundings {
  readonly agenda: Agenda;
  readonly core: Core;
  readonly book: Book;
  readonly app: Application;
  readonly genesis: Block;
  readonly genesisApp: AppState;
  readonly watch: Watch;
  readonly bugs: HostBugs;
  /** Whether transactions that are told again share a frame, and its fate. */
  readonly packsGossip: boolean;
  /** What this process's clock shows. */
  clock(host: Host): number;
  pen(key: PublicKey): Signer;
  /** Everybody a message to all is for. */
  everybody(): readonly PublicKey[];
  carry(host: Host, to: PublicKey, message: Message): void;
  /** Ends a sync of the disk, sooner or later. */
  sync(host: Host, end: () => void): void;
  /** How long the building of a payload and the execution of a block take. */
  lasts(host: Host, what: "build" | "execute"): number;
  crashes(host: Host, point: CrashPoint): boolean;
  /** Whether a start finds the chain as it was before the last commits of the record. */
  isBehind(host: Host): boolean;
}

/** Who looks on and judges. */
export interface Watch {
  booted(host: Host, durable: Durable | null): void;
  stepped(host: Host, event: Event, effects: readonly Effect[]): void;
  persisted(host: Host, durable: Durable): void;
  sealed(host: Host, message: Message): void;
  committed(host: Host, blocks: readonly Block[], cert: Cert): void;
  executed(host: Host, state: AppState): void;
  reported(host: Host, evidence: Evidence): void;
  alarmed(host: Host, alarm: Alarm): void;
}
