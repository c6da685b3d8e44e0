import "reflect-metadata";
import {
  PemConverter,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { AnyElysia } from "elysia";
import pino, { type Logger } from "pino";
import { TestClock } from "#test/support/clock.ts";
import type { Caller, Role } from "@/core/caller.ts";
import type { FrontTerms } from "@/drivers/http/front.ts";
import { Idempotency, idempotencyMigrations } from "@/drivers/http/idempotency.ts";
import { Listeners } from "@/drivers/http/listeners.ts";
import type { Origin } from "@/drivers/http/origin.ts";
import { HttpServer } from "@/drivers/http/server.ts";
import { openSqlite } from "@/drivers/sqlite/database.ts";
import type { CertificatePair } from "@/ports/certificates.ts";
import type { RouteAccess } from "@/ports/http.ts";
import type { Intake } from "@/ports/intake.ts";
import type { RequestRefused } from "@/ports/refusal.ts";

/** The largest body the HTTP server of a test takes. */
export const TEST_BODY_BYTES = 4_096;

/** What a test asks for besides method and path. */
export interface Asked {
  /** `admin`, or `admin:alice` for a name; nobody when unstated. */
  readonly as?: string;
  readonly json?: unknown;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Over the secure listener, or from elsewhere than this machine. */
  readonly origin?: Partial<Pick<Origin, "isSecure">> & { readonly address?: string };
}

/** Mounts what a test wants to try. */
export type Mount = (server: HttpServer) => readonly [AnyElysia, readonly RouteAccess[]];

/**
 * An HTTP server with its own memory database and clock, and a log of its own unless one is given;
 * `Authorization: Bearer <role>[:<name>]`.
 */
export function httpWith(...given: readonly (Mount | Logger)[]) {
  return limitedHttpWith(undefined, ...given);
}

/** The same with an intake. */
export async function limitedHttpWith(
  intake: Intake | undefined,
  ...given: readonly (Mount | Logger)[]
) {
  const mounts = given.filter((one) => typeof one === "function");
  const own = given.find((one) => typeof one !== "function");
  const clock = new TestClock();
  const database = openSqlite({ path: ":memory:", clock, onFailed: () => {} });
  await database.migrate(idempotencyMigrations);
  const lines: string[] = [];
  const faults: unknown[] = [];
  const refused: RequestRefused[] = [];
  const write = (line: string) => void lines.push(line);
  const log = own ?? pino({ level: "trace" }, { write });
  const listeners = new Listeners({
    log,
    address: "127.0.0.1",
    port: 0,
    secureAddress: "::",
    securePort: 0,
    maxBodyBytes: TEST_BODY_BYTES,
    idleTimeoutSeconds: 10,
    front: frontTerms(clock),
  });
  const server = new HttpServer({
    log,
    listeners,
    ...(intake && { intake }),
    maxBodyBytes: TEST_BODY_BYTES,
    idempotency: new Idempotency(database, clock, 24 * 3_600_000),
    onFatal: (fault) => void faults.push(fault),
    onRefused: (told) => void refused.push(told),
  });
  for (const mount of mounts) server.mount(...mount(server));
  server.authenticateWith(callerByRole);

  /** Asks without a socket. */
  const ask = (method: string, path: string, asked: Asked = {}): Promise<Response> =>
    server.answer(requestOf(method, `http://localhost${path}`, asked), originFrom(asked));

  return { server, listeners, database, clock, lines, faults, refused, ask };
}

async function callerByRole(request: Request): Promise<Caller | undefined> {
  const token = request.headers.get("authorization")?.slice("Bearer ".length);
  if (token === undefined) return undefined;
  const [role = "", name = "someone"] = token.split(":");
  return { type: "operator", id: `operator:${name}`, roles: [role as Role] };
}

/** Room for a few connections, and 20 s for a request. */
export function frontTerms(clock: TestClock): FrontTerms {
  const limits = { connectionsMax: 12, perAddressMax: 8, requestMs: 20_000, idleMs: 10_000 };
  return { clock, ...limits, isFull: () => false };
}

/** The request of a test. */
export function requestOf(method: string, url: string, asked: Asked): Request {
  const body = asked.json === undefined ? asked.body : JSON.stringify(asked.json);
  const headers = new Headers(asked.headers);
  if (asked.as !== undefined) headers.set("authorization", `Bearer ${asked.as}`);
  if (asked.json !== undefined) headers.set("content-type", "application/json");
  return new Request(url, { method, headers, ...(body !== undefined && { body }) });
}

function originFrom({ origin }: Asked): Origin {
  return {
    isSecure: origin?.isSecure ?? false,
    addressOf: () => origin?.address ?? "127.0.0.1",
    keepOpen: () => {},
  };
}

/** Sends bytes as they are and answers all that comes back until the server closes. */
export async function sendRaw(url: string, bytes: string | Uint8Array): Promise<string> {
  const { hostname, port } = new URL(url);
  const ended = Promise.withResolvers<string>();
  let heard = "";
  await Bun.connect({
    hostname: hostname.replace(/[[\]]/g, ""),
    port: Number(port),
    socket: {
      open: (socket) => void socket.write(bytes),
      data(_, chunk) {
        heard += chunk.toString();
      },
      close: () => ended.resolve(heard),
      error: () => ended.resolve(heard),
    },
  });
  return ended.promise;
}

/** A certificate that signs itself, for localhost. */
export async function selfSigned(name: string): Promise<CertificatePair> {
  const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys,
    signingAlgorithm: algorithm,
    extensions: [new SubjectAlternativeNameExtension([{ type: "dns", value: "localhost" }])],
  });
  const der = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  return {
    certificatePem: certificate.toString("pem"),
    privateKeyPem: PemConverter.encode(der, "PRIVATE KEY"),
  };
}
