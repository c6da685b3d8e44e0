import type { Caller } from "@/core/caller.ts";
import type { RouteAccess } from "@/ports/http.ts";
import type { Intake, RequestClass } from "@/ports/intake.ts";
import type { Origin } from "./origin.ts";

/** A request that was let in, or has to wait before it is. */
export interface Place {
  readonly wait: Promise<void> | undefined;
  leave(): void;
}

const NOWHERE: Place = { wait: undefined, leave: () => {} };

/** How a request passes the intake: by the class of its route and by where it came from. */
export class Gate {
  readonly #intake: Intake | undefined;
  readonly #places = new Map<RequestClass, Place>();

  constructor(intake: Intake | undefined) {
    this.#intake = intake;
  }

  /** Takes or waits for a place; refuses who comes too often and what there is no room for. */
  knock(request: Request, origin: Origin, row: RouteAccess | undefined): Place {
    const intake = this.#intake;
    if (!intake) return NOWHERE;
    const of = classOf(row);
    if (this.#isCounted(origin)) intake.knock(origin.addressOf(request), of);
    const entered = intake.enter(of);
    if (!entered) return this.#placeIn(of, intake);
    // Who was sent away while waiting holds no place.
    let isIn = false;
    const wait = entered.then(() => {
      isIn = true;
    });
    return { wait, leave: () => isIn && intake.leave(of) };
  }

  /** A place that was free is the same for everybody in its class. */
  #placeIn(of: RequestClass, intake: Intake): Place {
    const known = this.#places.get(of);
    if (known) return known;
    const place = { wait: undefined, leave: () => intake.leave(of) };
    this.#places.set(of, place);
    return place;
  }

  /** Counts a request of somebody who is known now. */
  recognise(caller: Caller, request: Request, origin: Origin, row: RouteAccess): void {
    if (!this.#isCounted(origin)) return;
    this.#intake?.recognise(caller, origin.addressOf(request), classOf(row));
  }

  /** Spares the command line and a proxy on this machine even the question where they come from. */
  #isCounted({ isLocal }: Origin): boolean {
    return !isLocal || this.#intake?.countsLoopback === true;
  }
}

/** The class a row of the permission table states, or the one its method and its callers suggest. */
export function classOf(row: RouteAccess | undefined): RequestClass {
  if (!row) return "read";
  if (row.class) return row.class;
  if (row.method === "GET") return "read";
  return row.access === "anyone" ? "enrol" : "admin";
}
