import type { Server } from "bun";
import type { Logger } from "pino";
import type { CertificatePair } from "@/ports/certificates.ts";
import { PoolError } from "@/std/errors.ts";
import { isLoopback } from "@/std/network.ts";
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
}

type Listener = Server<undefined>;

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
  #secure: Listener | undefined;
  #identity: CertificatePair | undefined;
  #answering: Answering | undefined;
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
    return {
      plain: this.#plain.map((listener) => urlOf("http", listener)),
      secure: this.#secure ? [urlOf("https", this.#secure)] : [],
    };
  }

  /** Takes no more connections, lets running requests end, and cuts what is still there after `graceMs`. */
  async close(graceMs: number): Promise<void> {
    const listeners = [...this.#plain.splice(0), ...(this.#secure ? [this.#secure] : [])];
    this.#secure = undefined;
    this.#answering = undefined;
    const ended = Promise.all([...listeners.map((listener) => listener.stop()), ...this.#retired]);
    const timer = Promise.withResolvers<void>();
    const cut = setTimeout(timer.resolve, graceMs);
    await Promise.race([ended, timer.promise]);
    clearTimeout(cut);
    await Promise.all(listeners.map((listener) => listener.stop(true)));
  }

  #openPlain(answering: Answering): void {
    const { address, log } = this.#options;
    if (address !== LOOPBACK[0]) {
      log.warn({ address }, "plain HTTP is open beyond the loopback; tokens travel unprotected");
      this.#plain.push(this.#listenPlain(address, this.#options.port, answering));
      return;
    }
    const first = this.#listenPlain(LOOPBACK[0], this.#options.port, answering);
    this.#plain.push(first);
    try {
      this.#plain.push(this.#listenPlain(LOOPBACK[1], first.port ?? 0, answering));
    } catch (error) {
      log.warn({ err: error }, "plain HTTP listens on 127.0.0.1 only, not on ::1");
    }
  }

  #listenPlain(hostname: string, port: number, answering: Answering): Listener {
    return listen(hostname, port, (settings) => {
      const server: Listener = Bun.serve({
        ...settings,
        ...this.#limits(),
        reusePort: false,
        fetch: (request): Promise<Response> => answering(request, origin),
      });
      const origin = originOf(server, { isSecure: false, isLocal: isLoopback(hostname) });
      return server;
    });
  }

  /** Opens a listener with the identity beside the one before, then retires that one. */
  #openSecure(answering: Answering, identity: CertificatePair): void {
    const before = this.#secure;
    const { secureAddress, securePort } = this.#options;
    if (!before) requireFree(secureAddress, securePort);
    const port = before?.port ?? securePort;
    this.#secure = listen(secureAddress, port, (settings) => {
      const server: Listener = Bun.serve({
        ...settings,
        ...this.#limits(),
        reusePort: true,
        tls: { cert: identity.certificatePem, key: identity.privateKeyPem, ciphers: CIPHERS },
        fetch: (request): Promise<Response> => answering(request, origin),
      });
      const origin = originOf(server, { isSecure: true, isLocal: false });
      return server;
    });
    if (before) this.#retire(before);
  }

  #retire(listener: Listener): void {
    const ended = listener.stop().finally(() => this.#retired.delete(ended));
    this.#retired.add(ended);
  }

  /** Outside of development Bun shares ports unless it is told not to, so every listener says which. */
  #limits() {
    return {
      development: false,
      maxRequestBodySize: this.#options.maxBodyBytes + BODY_SLACK_BYTES,
      idleTimeout: this.#options.idleTimeoutSeconds,
    } as const;
  }
}

function listen(
  hostname: string,
  port: number,
  serve: (settings: { readonly hostname: string; readonly port: number }) => Listener,
): Listener {
  try {
    return serve({ hostname, port });
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

/** A port shared by `reusePort` would be taken silently from another program; so it is tried alone first. */
function requireFree(hostname: string, port: number): void {
  if (port === 0) return;
  const trial = listen(hostname, port, (settings) =>
    Bun.serve({ ...settings, reusePort: false, fetch: () => new Response() }),
  );
  trial.stop(true);
}

function urlOf(scheme: string, { hostname, port }: Listener): string {
  const host = hostname?.includes(":") ? `[${hostname}]` : hostname;
  return `${scheme}://${host}:${port}`;
}
