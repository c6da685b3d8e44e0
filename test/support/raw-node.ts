import { readFileSync } from "node:fs";
import { join } from "node:path";
import { loginMessage } from "@/core/login.ts";
import type { HeartbeatBytes } from "@/core/poot/heartbeat.ts";
import { createCertificates } from "@/drivers/certificates.ts";
import { createDialer } from "@/drivers/dialer/module.ts";
import type { CertificatePair } from "@/ports/certificates.ts";
import type { Connection } from "@/ports/dialer.ts";
import { type HeartbeatReply, Registry } from "@/proto/registry_pb.ts";
import { fromBase64, fromHex, toBase64 } from "@/std/bytes.ts";
import { type SigningKey, signingKey } from "@/std/crypto.ts";
import type { NodeProcess } from "./node-process.ts";
import type { PoolProcess } from "./pool-process.ts";

export const certificates = createCertificates();
export const dialer = createDialer(certificates);

const NO_BYTES = new Uint8Array();

/** A node that says whatever a test wants, with the key and certificate of one that has joined. */
export class RawNode {
  readonly key: SigningKey;
  readonly identity: CertificatePair;
  readonly rootPem: string;
  readonly #pool: PoolProcess;
  readonly #id: string;

  constructor(pool: PoolProcess, { data, id }: NodeProcess) {
    const text = (name: string): string => readFileSync(join(data, name), "utf8");
    const seed = fromHex(text("node.key").trim()) ?? NO_BYTES;
    this.key = signingKey(seed);
    this.rootPem = text("root.pem");
    this.identity = {
      certificatePem: text("certificate.pem"),
      privateKeyPem: certificates.privateKeyPem(seed),
    };
    this.#pool = pool;
    this.#id = id;
  }

  /** Connects over gRPC; as nobody, or with another identity, when a test says so. */
  connect(identity: CertificatePair | undefined = this.identity): Promise<Connection> {
    const address = `127.0.0.1:${this.#pool.grpcPort}`;
    const { rootPem } = this;
    return dialer.connect(address, { rootPem, ...(identity && { identity }) });
  }

  connectAsNobody(): Promise<Connection> {
    return dialer.connect(`127.0.0.1:${this.#pool.grpcPort}`, { rootPem: this.rootPem });
  }

  /** Signs in over HTTP; answers the access token. */
  async accessToken(): Promise<string> {
    const node_id = this.#id;
    const asked = await this.#pool.told("POST", "/api/v1/auth/challenge", { node_id });
    const { installation_id } = await this.#pool.told("GET", "/api/v1/authority");
    const message = loginMessage({
      installationId: installation_id,
      nonce: fromBase64(asked.nonce) ?? NO_BYTES,
      expiresAtMs: Date.parse(asked.expires_at),
    });
    const signature = toBase64(this.key.sign(message));
    const body = { node_id, nonce: asked.nonce, signature };
    const { access_token } = await this.#pool.told("POST", "/api/v1/auth/token", body);
    return String(access_token);
  }
}

/** Sends one heartbeat. */
export function beat(connection: Connection, bytes: HeartbeatBytes): Promise<HeartbeatReply> {
  return connection.call(Registry.method.heartbeat, {
    open: bytes.open ?? NO_BYTES,
    claim: bytes.claim,
    receipt: bytes.receipt ?? NO_BYTES,
  });
}
