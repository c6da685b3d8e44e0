import { connect } from "node:net";
import { credentials, Metadata, makeGenericClientConstructor } from "@grpc/grpc-js";
import { defineModule } from "@/kernel/module.ts";
import type { Probes } from "@/ports/probes.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    probes: Probes;
  }
}

/** grpc.health.v1.HealthCheckResponse {status: SERVING}: field 1, varint 1. */
const SERVING = Buffer.from([0x08, 0x01]);
const ASKERS: Readonly<Record<string, (url: URL, timeoutMs: number) => Promise<boolean>>> = {
  "tcp:": askTcp,
  "http:": askHttp,
  "https:": askHttp,
  "grpc:": askGrpc,
};

/** Asks endpoints over the network of this board. */
export function openProbes(): Probes {
  return {
    async ask(endpoint, timeoutMs) {
      try {
        const url = new URL(endpoint);
        return (await ASKERS[url.protocol]?.(url, timeoutMs)) ?? false;
      } catch {
        return false;
      }
    },
  };
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[|\]$/g, "");
}

function askTcp(url: URL, timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect({ host: hostOf(url), port: Number(url.port), timeout: timeoutMs });
  socket.once("connect", () => resolve(true));
  socket.once("error", () => resolve(false));
  socket.once("timeout", () => resolve(false));
  return promise.finally(() => socket.destroy());
}

async function askHttp(url: URL, timeoutMs: number): Promise<boolean> {
  const answer = await fetch(url, {
    signal: AbortSignal.timeout(timeoutMs),
    redirect: "manual",
    tls: { rejectUnauthorized: false },
  });
  await answer.body?.cancel();
  return answer.ok;
}

function askGrpc(url: URL, timeoutMs: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const Client = makeGenericClientConstructor({}, "grpc.health.v1.Health");
  const client = new Client(url.host, credentials.createInsecure());
  client.makeUnaryRequest(
    "/grpc.health.v1.Health/Check",
    (bytes: Buffer) => bytes,
    (bytes: Buffer) => bytes,
    Buffer.alloc(0),
    new Metadata(),
    { deadline: Date.now() + timeoutMs },
    (error, answer) => resolve(error === null && answer !== undefined && SERVING.equals(answer)),
  );
  return promise.finally(() => client.close());
}

/** Provides `probes`. */
export const probes = defineModule({
  name: "probes",
  needs: [],
  provides: "probes",
  start: openProbes,
});
