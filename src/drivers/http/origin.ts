import type { Server } from "bun";
import type { Front } from "./front.ts";

/** Where a request came in. */
export interface Origin {
  /** Over TLS. */
  readonly isSecure: boolean;
  /** Only this machine can reach the listener. */
  readonly isLocal?: boolean;
  addressOf(request: Request): string;
  keepOpen(request: Request): void;
}

/** The origin of all requests of one listener; one behind a front knows who is before it. */
export function originOf(
  server: Server<undefined>,
  where: { readonly isSecure: boolean; readonly isLocal: boolean; readonly front?: Front },
): Origin {
  const { isSecure, isLocal, front } = where;
  return {
    isSecure,
    isLocal,
    addressOf(request) {
      const peer = server.requestIP(request);
      return front ? (front.addressBehind(peer?.port) ?? "") : plainAddress(peer?.address ?? "");
    },
    keepOpen: (request) => server.timeout(request, 0),
  };
}

/** The same origin for a request that stands for another one. */
export function originBehind(origin: Origin, original: Request): Origin {
  return {
    isSecure: origin.isSecure,
    ...(origin.isLocal && { isLocal: true }),
    addressOf: () => origin.addressOf(original),
    keepOpen: () => origin.keepOpen(original),
  };
}

/** An IPv4 caller on a dual-stack listener is written as IPv4. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") ? address.slice(7) : address;
}
