import "reflect-metadata";
import {
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  PemConverter,
  X509CertificateGenerator,
} from "@peculiar/x509";
import { pino } from "pino";
import { nodeCaller } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { createDialer } from "@/drivers/dialer/module.ts";
import { GrpcServer } from "@/drivers/grpc/server.ts";
import type { CertificatePair, LeafTerms } from "@/ports/certificates.ts";
import type { Connection } from "@/ports/dialer.ts";
import type { Grpc, ServiceRpcs } from "@/ports/grpc.ts";
import type { Intake } from "@/ports/intake.ts";
import type { RequestRefused } from "@/ports/refusal.ts";
import { Registry } from "@/proto/registry_pb.ts";
import { signingKey } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";
import { TestClock } from "./clock.ts";

const DAY_MS = 86_400_000;
const POOL_NAME = "pool.galaxy-pool.internal";

export const certificates = createCertificates();
export const dialer = createDialer(certificates);

/** A certificate authority with the leaves a test asks for. */
export class TestAuthority {
  readonly root: CertificatePair;
  readonly #nowMs: number;

  static async create(nowMs: number): Promise<TestAuthority> {
    const root = await certificates.createRoot("test", nowMs - DAY_MS, nowMs + 400 * DAY_MS);
    return new TestAuthority(root, nowMs);
  }

  constructor(root: CertificatePair, nowMs: number) {
    this.root = root;
    this.#nowMs = nowMs;
  }

  server(terms: Partial<LeafTerms> = {}): Promise<CertificatePair> {
    return certificates.createLeaf(this.root, {
      uris: ["spiffe://test/pool"],
      dnsNames: [POOL_NAME],
      usage: "server",
      notBeforeMs: this.#nowMs - DAY_MS,
      notAfterMs: this.#nowMs + 90 * DAY_MS,
      ...terms,
    });
  }

  /** The identity of node number `number`. */
  async node(number: number, terms: Partial<LeafTerms> = {}): Promise<CertificatePair> {
    const seed = new Uint8Array(32).fill(number);
    const der = await certificates.issue(this.root, signingKey(seed).publicKey, {
      uris: [`spiffe://test/node/node-${number}`],
      usage: "client",
      notBeforeMs: this.#nowMs - 300_000,
      notAfterMs: this.#nowMs + DAY_MS,
      ...terms,
    });
    return {
      certificatePem: certificates.toPem(der),
      privateKeyPem: certificates.privateKeyPem(seed),
    };
  }
}

/** A client certificate that nobody but itself vouches for. */
export async function selfSigned(nowMs: number): Promise<CertificatePair> {
  const algorithm = { name: "Ed25519" };
  const keys = await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const made = await X509CertificateGenerator.createSelfSigned({
    name: "CN=node-1",
    notBefore: new Date(nowMs - DAY_MS),
    notAfter: new Date(nowMs + DAY_MS),
    keys: keys as CryptoKeyPair,
    signingAlgorithm: algorithm,
    extensions: [new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth])],
  });
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", (keys as CryptoKeyPair).privateKey);
  return {
    certificatePem: made.toString("pem"),
    privateKeyPem: PemConverter.encode(pkcs8, "PRIVATE KEY"),
  };
}

/** What a test wants of its server. */
export interface WorldTerms {
  readonly connectionsMax?: number;
  readonly intake?: Intake;
  readonly host?: string;
  readonly serve: (grpc: Grpc) => void;
}

/** A server on a free port, its authority, and ways to reach it. */
export class GrpcWorld implements AsyncDisposable {
  readonly clock: TestClock;
  readonly authority: TestAuthority;
  readonly server: GrpcServer;
  readonly leaf: CertificatePair;
  readonly faults: unknown[] = [];
  readonly refused: RequestRefused[] = [];
  readonly logged: string[] = [];
  readonly #connections: Connection[] = [];

  static async open({
    connectionsMax = 500,
    host = "::",
    serve,
    intake,
  }: WorldTerms): Promise<GrpcWorld> {
    const clock = new TestClock();
    const authority = await TestAuthority.create(clock.now());
    const leaf = await authority.server();
    const world = new GrpcWorld({ clock, authority, leaf, connectionsMax, host, intake });
    world.server.identifyWith({ leaf, rootPem: authority.root.certificatePem });
    world.server.authenticateWith((certificate) => {
      const [uri = ""] = certificates.read(certificate).uris;
      const id = uri.split("/").at(-1) ?? "";
      if (id === "node-66") throw new PoolError("denied", "node.suspended", "It is suspended.");
      return nodeCaller(id as NodeId);
    });
    serve(world.server);
    await world.server.open();
    return world;
  }

  private constructor(parts: {
    readonly clock: TestClock;
    readonly authority: TestAuthority;
    readonly leaf: CertificatePair;
    readonly connectionsMax: number;
    readonly host: string;
    readonly intake: Intake | undefined;
  }) {
    this.clock = parts.clock;
    this.authority = parts.authority;
    this.leaf = parts.leaf;
    const stream = { write: (line: string) => void this.logged.push(line) };
    this.server = new GrpcServer({
      certificates,
      clock: parts.clock,
      log: pino({ level: "warn" }, stream),
      address: { host: parts.host, port: 0 },
      connectionsMax: parts.connectionsMax,
      ...(parts.intake && { intake: parts.intake }),
      onFatal: (fault) => this.faults.push(fault),
      onRefused: (told) => this.refused.push(told),
    });
  }

  get port(): number {
    return Number(this.server.address().split(":").at(-1));
  }

  /** Connects as somebody, or as nobody. */
  async connect(identity?: CertificatePair, host = "127.0.0.1"): Promise<Connection> {
    const connection = await dialer.connect(`${host}:${this.port}`, {
      rootPem: this.authority.root.certificatePem,
      nowMs: this.clock.now(),
      ...(identity && { identity }),
    });
    this.#connections.push(connection);
    return connection;
  }

  async connectAs(number: number, terms: Partial<LeafTerms> = {}): Promise<Connection> {
    return this.connect(await this.authority.node(number, terms));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const connection of this.#connections) connection.close();
    await this.server.close(0);
  }
}

/** Serves the whole Registry: what a test does not state refuses. */
export function serveRegistry(grpc: Grpc, rpcs: ServiceRpcs<typeof Registry>): void {
  const absent = () => {
    throw new PoolError("unimplemented", "test.absent", "The test does not serve this.");
  };
  const others = Object.keys(Registry.method).filter((name) => !(name in rpcs));
  grpc.serve(Registry, "node", {
    ...Object.fromEntries(others.map((name) => [name, absent])),
    ...rpcs,
  } as ServiceRpcs<typeof Registry>);
}
