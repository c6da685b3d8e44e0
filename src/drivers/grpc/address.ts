import { PoolError } from "@/std/errors.ts";

/** Where a server listens. */
export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `0.0.0.0:50051` or `[::]:50051`. */
export function listenAddress(text: string): ListenAddress {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^:[\]\s]+)):(\d{1,5})$/i.exec(text);
  const host = match?.[1] ?? match?.[2];
  const port = Number(match?.[3]);
  if (host === undefined || port > 65_535) {
    throw new PoolError(
      "invalid",
      "config.invalid",
      `server.address is "${text}"; write host:port, such as 0.0.0.0:50051 or [::]:50051.`,
    );
  }
  return { host, port };
}

/** The same as text, with the port that was really taken. */
export function addressText({ host, port }: ListenAddress): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}
