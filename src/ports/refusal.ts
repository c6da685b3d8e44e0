import type { RefusalKind } from "@/std/errors.ts";

declare module "@/kernel/events.ts" {
  interface EventMap {
    /** Told by every door for every refusal; nothing of it is secret. */
    "request.refused": RequestRefused;
  }
}

/** Who was told no, where, and why: what the audit and the rules over refusals are made of. */
export interface RequestRefused {
  /** `poot` are the refusals that travel inside a heartbeat's answer. */
  readonly door: "http" | "grpc" | "poot";
  readonly kind: RefusalKind;
  readonly code: string;
  /** The IP address it came from; empty when the connection was gone already. */
  readonly address: string;
  /** Who asked, as the audit names it, when that was settled. */
  readonly caller?: string;
  /** What was asked for: a route or a method as it was declared, never as it was written. */
  readonly subject?: string;
  /** How far the slot a node claims is from the pool's; ahead is positive. Heartbeats only. */
  readonly skewMs?: number;
}

/** Tells everybody who listens of a refusal. */
export type TellRefused = (refused: RequestRefused) => void;
