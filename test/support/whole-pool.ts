import { writeFileSync } from "node:fs";
import { join } from "node:path";
import pino from "pino";
import { loadConfiguration, modulesFor } from "@/cli/configuration.ts";
import { makeInstallation } from "@/cli/init.ts";
import { type Caller, systemCaller } from "@/core/caller.ts";
import { HttpServer } from "@/drivers/http/server.ts";
import { Kernel } from "@/kernel/kernel.ts";
import type { AnyModule } from "@/kernel/module.ts";
import type { Authenticate } from "@/ports/http.ts";
import { temporaryFolder } from "./folder.ts";

const SETTINGS = [
  "http.port=0",
  "http.secure_port=0",
  "http.secure_address=127.0.0.1",
  "server.address=127.0.0.1:0",
];

/** The header that names a caller of `callers`. */
export const CALLER_HEADER = "x-test-caller";

/** Everything `serve` starts, in this process and with doors on the loopback. */
export interface WholePool extends AsyncDisposable {
  readonly kernel: Kernel;
  readonly server: HttpServer;
  /** Who asks over HTTP by the name in CALLER_HEADER, besides those who prove who they are. */
  readonly callers: Map<string, Caller>;
  ask(caller: string, method: string, path: string, body?: unknown): Promise<Response>;
}

/** A whole pool on a folder of its own. */
export async function wholePool(set: readonly string[] = []): Promise<WholePool> {
  const folder = temporaryFolder();
  const config = join(folder.path, "pool.yaml");
  writeFileSync(config, "");
  const flags = { config, data: join(folder.path, "pool"), set: [...SETTINGS, ...set] };
  const loaded = loadConfiguration(flags, { HOME: folder.path });
  const log = pino({ level: "silent" });
  const callers = new Map<string, Caller>([["system", systemCaller("test")]]);
  await makeInstallation(loaded, log);
  const modules = modulesFor(loaded.configuration).map((one) => withCallers(one, callers));
  const kernel = await Kernel.start(modules, { log, configuration: loaded.configuration });
  const server = kernel.service("http");
  if (!(server instanceof HttpServer)) throw new Error("HTTP is served by Elysia");
  const origin = { isSecure: true, addressOf: () => "192.0.2.1", keepOpen: () => {} };
  return {
    kernel,
    server,
    callers,
    ask(caller, method, path, body) {
      const headers = { [CALLER_HEADER]: caller, "content-type": "application/json" };
      const text = body === undefined ? {} : { body: JSON.stringify(body) };
      return server.answer(
        new Request(`http://localhost${path}`, { method, headers, ...text }),
        origin,
      );
    },
    async [Symbol.asyncDispose]() {
      await kernel.stop();
      folder[Symbol.dispose]();
    },
  };
}

/** The module of HTTP, believing a header besides what `access` says. */
function withCallers(module: AnyModule, callers: ReadonlyMap<string, Caller>): AnyModule {
  if (module.name !== "http") return module;
  return {
    ...module,
    async start(services, context) {
      const server = (await module.start(services, context)) as HttpServer;
      const settle = server.authenticateWith.bind(server);
      server.authenticateWith = (authenticate: Authenticate) =>
        settle(async (request, isSecure) => {
          const named = callers.get(request.headers.get(CALLER_HEADER) ?? "");
          return named ?? authenticate(request, isSecure);
        });
      return server;
    },
  };
}
