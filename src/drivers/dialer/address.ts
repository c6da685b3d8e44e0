import { isIPv4, isIPv6 } from "node:net";
import { PoolError } from "@/std/errors.ts";

const PORT = 50_051;

/** The address of a pool as grpc-js wants it: what is an IP address is never asked of a name server. */
export function targetOf(address: string): string {
  if (isIPv6(address)) return `ipv6:[${address}]:${PORT}`;
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::(\d{1,5}))?$/i.exec(address.trim());
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3] ?? PORT);
  if (host === undefined || port === 0 || port > 65_535) throw malformed(address);
  if (match?.[1] !== undefined) {
    if (!isIPv6(host)) throw malformed(address);
    return `ipv6:[${host}]:${port}`;
  }
  return `${isIPv4(host) ? "ipv4" : "dns"}:${host}:${port}`;
}

function malformed(address: string): PoolError {
  return new PoolError(
    "invalid",
    "pool.address",
    `"${address.slice(0, 100)}" is no address of a pool; write host, host:port or [v6]:port.`,
  );
}
