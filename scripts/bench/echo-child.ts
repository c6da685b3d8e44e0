import { Server, ServerCredentials } from "@grpc/grpc-js";
import type { CertificatePair } from "@/ports/certificates.ts";

/** The path of the call that answers with what it was sent. */
export const ECHO_PATH = "/bench.Echo/Echo";

/** A bare grpc-js server with mTLS that answers with what it was sent. */
export async function openEcho(terms: {
  readonly rootPem: string;
  readonly server: CertificatePair;
}) {
  const server = new Server();
  const asIs = (bytes: Buffer): Buffer => bytes;
  server.register(
    ECHO_PATH,
    (call: { readonly request: Buffer }, respond: (error: null, reply: Buffer) => void) =>
      respond(null, call.request),
    asIs,
    asIs,
    "unary",
  );
  const { certificatePem, privateKeyPem } = terms.server;
  const pair = { cert_chain: Buffer.from(certificatePem), private_key: Buffer.from(privateKeyPem) };
  const credentials = ServerCredentials.createSsl(Buffer.from(terms.rootPem), [pair], true);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", credentials, (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  return { port: (_: null) => port };
}
