declare module "@/kernel/events.ts" {
  interface EventMap {
    /** Told by the doors for whom they let in: by HTTP each time, by gRPC once per connection. */
    "caller.seen": CallerSeen;
  }
}

/** Who was let in, and from where. */
export interface CallerSeen {
  /** As the audit names it. */
  readonly caller: string;
  readonly address: string;
}

/** Tells everybody who listens of a caller that was let in. */
export type TellSeen = (seen: CallerSeen) => void;
