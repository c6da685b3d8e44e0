import type { Server } from "bun";

/** Where a request came in. */
export interface Origin {
  /** Over TLS. */
  readonly isSecure: boolean;
  addressOf(request: Request): string;
  keepOpen(request: Request): void;
}

/** The origin of all requests of one listener. */
export function originOf(server: Server<undefined>, isSecure: boolean): Origin {
  return {
    isSecure,
    addressOf: (request) => plainAddress(server.requestIP(request)?.address ?? ""),
    keepOpen: (request) => server.timeout(request, 0),
  };
}

/** The same origin for a request that stands for another one. */
export function originBehind(origin: Origin, original: Request): Origin {
  return {
    isSecure: origin.isSecure,
    addressOf: () => origin.addressOf(original),
    keepOpen: () => origin.keepOpen(original),
  };
}

/** Whether an address is of this machine itself. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}

/** An IPv4 caller on a dual-stack listener is written as IPv4. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}
