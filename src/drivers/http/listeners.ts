import type { Server } from "bun";
import type { Logger } from "pino";
import type { CertificatePair } from "@/ports/certificates.ts";
import { PoolError } from "@/std/errors.ts";
import { Front, type FrontTerms } from "./front.ts";
import { type Origin, originOf } from "./origin.ts";

/** Answers a request that came in somewhere. */
export type Answering = (request: Request, origin: Origin) => Promise<Response>;

/** Where to listen, and for how long. */
export interface ListenerOptions {
  readonly log: Logger;
  readonly address: string;
  readonly port: number;
  readonly secureAddress: string;
  readonly securePort: number;
  readonly maxBodyBytes: number;
  readonly idleTimeoutSeconds: number;
  /** What holds for who comes from the network. */
  readonly front: FrontTerms;
}

type Listener = Server<undefined>;

/** What the network connects to, and the server behind it. */
interface Fronted {
  readonly front: Front;
  readonly server: Listener;
}

/** Where a server behind a front listens: addresses of the loopback that nobody else uses. */
const BEHIND_FROM = 2;
const BEHIND_TO = 250;

/** The loopback of both families, which is what the address 127.0.0.1 stands for. */
const LOOPBACK = ["127.0.0.1", "::1"] as const;

/** TLS 1.3, and of TLS 1.2 only what is forward secret and authenticated. */
const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

/** A body that is this much too large is cut off by Bun itself, with a bare 413. */
const BODY_SLACK_BYTES = 1_048_576;

/** The plain listeners on the loopback and the secure one for the LAN. */
export class Listeners {
  readonly #options: ListenerOptions;
  readonly #plain: Listener[] = [];
  #wide: Fronted | undefined;
  #secure: Fronted | undefined;
  #identity: CertificatePair | undefined;
  #answering: Answering | undefined;
  #behind = BEHIND_FROM;
  readonly #retired = new Set<Promise<void>>();

  constructor(options: ListenerOptions) {
    this.#options = options;
  }

  /** Opens all doors; the secure one only when it has an identity to show. */
  async open(answering: Answering): Promise<void> {
    this.#answering = answering;
    this.#openPlain(answering);
    if (this.#identity) this.#openSecure(answering, this.#identity);
    this.#options.log.info(this.urls(), "listening for HTTP");
  }

  async identifyWith(identity: CertificatePair): Promise<void> {
    this.#identity = identity;
    if (this.#answering) this.#openSecure(this.#answering, identity);
  }

  urls(): { readonly plain: readonly string[]; readonly secure: readonly string[] } {
    const local = this.#plain.map((listener) => urlOf("http", listener));
    return {
      plain: this.#wide ? [urlOf("http", this.#wide.front)] : local,
      secure: this.#secure ? [urlOf("https", this.#secure.front)] : [],
    };
  }

  /** How many connections from the network are open. */
  connections(): number {
    return [this.#wide, this.#secure].reduce((sum, one) => sum + (one?.front.connections ?? 0), 0);
  }

  /** Takes no more connections, lets running requests end, and cuts what is still there after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const fronted = [this.#wide, this.#secure].filter((one) => one !== undefined);
    const listeners = [...this.#plain.splice(0), ...fronted.map(({ server }) => server)];
    for (const { front } of fronted) front.close();
    this.#wide = undefined;
    this.#secure = undefined;
    this.#answering = undefined;
    const ended = Promise.all([...listeners.map((listener) => listener.stop()), ...this.#retired]);
    const timer = Promise.withResolvers<void>();
    const cut = setTimeout(timer.resolve, graceMs);
    await Promise.race([ended, timer.promise]);
    clearTimeout(cut);
    for (const { front } of fronted) front.cut();
    await Promise.all(listeners.map((listener) => listener.stop(true)));
  }

  #openPlain(answering: Answering): void {
    const { address, port, log } = this.#options;
    if (address !== LOOPBACK[0]) {
      log.warn({ address }, "plain HTTP is open beyond the loopback; tokens travel unprotected");
      const front = this.#frontAt(address, port);
      this.#wide = { front, server: this.#serveBehind(front, answering, undefined) };
      return;
    }
    const first = this.#listenLocally(LOOPBACK[0], port, answering);
    this.#plain.push(first);
    try {
      this.#plain.push(this.#listenLocally(LOOPBACK[1], first.port ?? 0, answering));
    } catch (error) {
      log.warn({ err: error }, "plain HTTP listens on 127.0.0.1 only, not on ::1");
    }
  }

  /** What only this machine can reach needs no front. */
  #listenLocally(hostname: string, port: number, answering: Answering): Listener {
    return listen(hostname, port, () => {
      const server: Listener = Bun.serve({
        hostname,
        port,
        ...this.#limits(),
        fetch: (request): Promise<Response> => answering(request, origin),
      });
      const origin = originOf(server, { isSecure: false, isLocal: true });
      return server;
    });
  }

  /** Puts a server with the new identity behind the front, then retires the one before. */
  #openSecure(answering: Answering, identity: CertificatePair): void {
    const before = this.#secure;
    const { secureAddress, securePort } = this.#options;
    const front = before?.front ?? this.#frontAt(secureAddress, securePort);
    this.#secure = { front, server: this.#serveBehind(front, answering, identity) };
    if (before) this.#retire(before.server);
  }

  #frontAt(hostname: string, port: number): Front {
    return listen(hostname, port, () => {
      const front = new Front(this.#options.front);
      front.listen(hostname, port);
      return front;
    });
  }

  /** Where the system lets this program listen on ports it knows only, the plain one is among them. */
  #serveBehind(
    front: Front,
    answering: Answering,
    identity: CertificatePair | undefined,
  ): Listener {
    const hostname = `127.0.0.${this.#behind}`;
    this.#behind = this.#behind === BEHIND_TO ? BEHIND_FROM : this.#behind + 1;
    const serveAt = (port: number) => this.#serveAt({ hostname, port, front }, answering, identity);
    let server: Listener;
    try {
      server = serveAt(this.#options.port);
    } catch {
      server = listen(hostname, 0, () => serveAt(0));
    }
    front.leadTo({ hostname, port: server.port ?? 0 });
    return server;
  }

  #serveAt(
    { hostname, port, front }: Where,
    answering: Answering,
    identity: CertificatePair | undefined,
  ): Listener {
    const tls = identity && {
      cert: identity.certificatePem,
      key: identity.privateKeyPem,
      ciphers: CIPHERS,
    };
    const server: Listener = Bun.serve({
      hostname,
      port,
      ...this.#limits(),
      ...(tls && { tls }),
      fetch: (request): Promise<Response> | Response =>
        front.addressBehind(server.requestIP(request)?.port) === undefined
          ? new Response(null, { status: 403 })
          : answering(request, origin),
    });
    const origin = originOf(server, { isSecure: tls !== undefined, isLocal: false, front });
    return server;
  }

  #retire(listener: Listener): void {
    const ended = listener.stop().finally(() => this.#retired.delete(ended));
    this.#retired.add(ended);
  }

  /** Outside of development Bun shares ports unless it is told not to, so every listener says which. */
  #limits() {
    return {
      development: false,
      reusePort: false,
      maxRequestBodySize: this.#options.maxBodyBytes + BODY_SLACK_BYTES,
      idleTimeout: this.#options.idleTimeoutSeconds,
    } as const;
  }
}

/** Where a server behind a front listens. */
interface Where {
  readonly hostname: string;
  readonly port: number;
  readonly front: Front;
}

function listen<Opened>(hostname: string, port: number, open: () => Opened): Opened {
  try {
    return open();
  } catch (error) {
    throw cannotListen(hostname, port, error);
  }
}

/** Whoever has the port, or the lack of an address, may pass; what this user may not do will not. */
function cannotListen(hostname: string, port: number, error: unknown): PoolError {
  const { code, message } = error as { readonly code?: string; readonly message: string };
  const whys: Readonly<Record<string, string>> = {
    EADDRINUSE: "something else listens there",
    EADDRNOTAVAIL: "this host does not have that address now",
    EACCES: "this user may not; ports below 1024 are for root",
  };
  return new PoolError(
    code === "EACCES" ? "denied" : "unavailable",
    "http.cannot_listen",
    `Cannot listen on ${hostname} port ${port}: ${whys[code ?? ""] ?? message}. ` +
      "Set another address or port under http in the configuration.",
    {},
    error,
  );
}

function urlOf(
  scheme: string,
  {
    hostname,
    port,
  }: { readonly hostname?: string | undefined; readonly port?: number | undefined },
): string {
  const host = hostname?.includes(":") ? `[${hostname}]` : hostname;
  return `${scheme}://${host}:${port}`;
}
