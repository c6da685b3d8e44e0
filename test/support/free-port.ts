const FROM = 15_000;
const MANY = 15_000;
const TRIES = 200;

/**
 * A port nobody listens on, for what must find it again after a restart. It lies below the ports the
 * kernel gives to outgoing connections, so that none of those can take it in between.
 */
export function freePort(): number {
  for (let tries = 0; tries < TRIES; tries++) {
    const port = FROM + Math.floor(Math.random() * MANY);
    if (isFree("0.0.0.0", port) && isFree("::", port)) return port;
  }
  throw new Error("no free port was found");
}

function isFree(hostname: string, port: number): boolean {
  try {
    Bun.listen({ hostname, port, socket: { data() {} } }).stop(true);
    return true;
  } catch {
    return false;
  }
}
