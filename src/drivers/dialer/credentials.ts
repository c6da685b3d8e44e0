import type { Socket } from "node:net";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { CallCredentials, ChannelCredentials } from "@grpc/grpc-js";
import type { CertificatePair } from "@/ports/certificates.ts";
import { sha256 } from "@/std/crypto.ts";
import { isRefusal, type PoolError } from "@/std/errors.ts";
import { POOL_NAME, type Trust } from "./trust.ts";

type SecureConnector = ReturnType<ChannelCredentials["_createSecureConnector"]>;

/**
 * Makes the TLS connections of a channel, and judges the server's certificate itself: the TLS stack
 * would judge its dates by a clock that may be wrong, and its name by the address that was dialled.
 */
export class PoolCredentials extends ChannelCredentials {
  readonly #trust: Trust;
  readonly #options: ConnectionOptions;
  #leafHash: Uint8Array | undefined;
  #distrust: PoolError | undefined;

  constructor(trust: Trust, identity: CertificatePair | undefined) {
    super();
    this.#trust = trust;
    this.#options = {
      servername: POOL_NAME,
      ALPNProtocols: ["h2"],
      minVersion: "TLSv1.3",
      rejectUnauthorized: false,
      ...(identity && { cert: identity.certificatePem, key: identity.privateKeyPem }),
    };
  }

  /** SHA-256 of the certificate the newest connection saw. */
  get leafHash(): Uint8Array | undefined {
    return this.#leafHash;
  }

  /** Why the newest connection was not made, when it was for want of trust. */
  get distrust(): PoolError | undefined {
    return this.#distrust;
  }

  override _isSecure(): boolean {
    return true;
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other;
  }

  override _createSecureConnector(): SecureConnector {
    return {
      connect: async (socket) => ({ socket: await this.#secure(socket), secure: true }),
      waitForReady: () => Promise.resolve(),
      getCallCredentials: () => CallCredentials.createEmpty(),
      destroy: () => {},
    };
  }

  #secure(socket: Socket): Promise<TLSSocket> {
    return new Promise((resolve, reject) => {
      this.#distrust = undefined;
      const secured = connect({ ...this.#options, socket });
      secured.once("error", reject);
      secured.once("close", () => reject(new Error("the connection closed in its handshake")));
      secured.once("secureConnect", () => {
        try {
          this.#judge(secured);
          resolve(secured);
        } catch (thrown) {
          secured.destroy();
          reject(thrown);
        }
      });
    });
  }

  #judge(socket: TLSSocket): void {
    const leaf = new Uint8Array(socket.getPeerCertificate().raw);
    try {
      this.#trust(leaf);
    } catch (thrown) {
      if (isRefusal(thrown)) this.#distrust = thrown;
      throw thrown;
    }
    this.#leafHash = sha256(leaf);
  }
}
