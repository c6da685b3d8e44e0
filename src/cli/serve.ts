import type { Logger } from "pino";
import { poolModules } from "@/app.ts";
import { Kernel } from "@/kernel/kernel.ts";
import { VERSION } from "@/std/version.ts";
import { LISTENING_FILE } from "./client.ts";
import { type ConfigFlags, type LoadedConfiguration, loadConfiguration } from "./configuration.ts";
import { openLog } from "./logging.ts";
import { requireNotVanished } from "./marker.ts";
import { EXIT, tellRefusal } from "./refusals.ts";

const STOP_FORCE_MS = 15_000;

/** Runs the pool until it is told to stop. SIGTERM and SIGINT stop it, SIGHUP reloads the configuration. */
export async function serve(flags: ConfigFlags): Promise<number> {
  const loaded = loadConfiguration(flags);
  requireNotVanished(loaded.file, String(loaded.configuration.value("storage.data_dir")));
  const log = openLog(loaded.configuration);
  const ended = Promise.withResolvers<number>();
  using watching = new DisposableStack();
  watchFaults(watching, log, ended.resolve);
  watchSignals(watching, log, ended.resolve);
  const started = Promise.withResolvers<Kernel>();
  const reload = () => started.promise.then((kernel) => reloadPool(kernel, flags, log));
  watch(watching, "SIGHUP", () => void reload());

  const kernel = await startPool(loaded, log, ended.resolve);
  started.resolve(kernel);
  const where = tellWhere(kernel, log);
  log.info({ version: VERSION, pid: process.pid, ...where }, "the pool is up");

  const code = await ended.promise;
  forceStop(watching, log, code);
  forgetWhere(kernel, log);
  await kernel.stop();
  log.info({ code }, "the pool has stopped");
  return code;
}

/** Leaves in the data folder where this pool listens: ports may have been picked by the system. */
function tellWhere(kernel: Kernel, log: Logger) {
  const where = { ...kernel.service("http").urls(), grpc: kernel.service("grpc").address() };
  const text = JSON.stringify({ ...where, pid: process.pid });
  try {
    kernel.service("files").write(LISTENING_FILE, `${text}\n`);
  } catch (err) {
    log.warn({ err }, "commands on this machine are not told where the pool listens");
  }
  return where;
}

function forgetWhere(kernel: Kernel, log: Logger): void {
  try {
    kernel.service("files").remove(LISTENING_FILE);
  } catch (err) {
    log.warn({ err }, "the file that says where the pool listens stays behind");
  }
}

/** Starts all modules of a pool. */
export function startPool(
  loaded: LoadedConfiguration,
  log: Logger,
  end: (code: number) => void,
): Promise<Kernel> {
  return Kernel.start(modulesFor(loaded), {
    log,
    configuration: loaded.configuration,
    onFatal: (fault) => {
      log.fatal({ err: fault }, "a fault ends the process");
      end(EXIT.fault);
    },
  });
}

function modulesFor({ configuration }: LoadedConfiguration) {
  const url = String(configuration.value("database.url") ?? "");
  return poolModules(/^postgres(ql)?:/.test(url) ? "postgres" : "sqlite");
}

function watchSignals(watching: DisposableStack, log: Logger, end: (code: number) => void): void {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    watch(watching, signal, () => {
      log.info({ signal }, "the pool is stopping");
      end(EXIT.done);
    });
  }
}

function watchFaults(watching: DisposableStack, log: Logger, end: (code: number) => void): void {
  for (const event of ["uncaughtException", "unhandledRejection"] as const) {
    watch(watching, event, (fault: unknown) => {
      log.fatal({ err: fault }, "a fault of our own ends the process");
      end(EXIT.fault);
    });
  }
}

function reloadPool(kernel: Kernel, flags: ConfigFlags, log: Logger): void {
  try {
    const { applied, restart } = kernel.reload(loadConfiguration(flags).configuration);
    log.info({ applied, restart }, "the configuration was reloaded");
    if (restart.length > 0) log.warn({ keys: restart }, "these changes need a restart");
  } catch (error) {
    tellRefusal(error, false);
    log.error({ err: error }, "the configuration was not reloaded; the old one stays");
  }
}

/** Listens to the process until the pool has stopped. */
function watch(watching: DisposableStack, event: string, listener: (told: unknown) => void): void {
  process.on(event, listener);
  watching.defer(() => void process.off(event, listener));
}

function forceStop(watching: DisposableStack, log: Logger, code: number): void {
  const timer = setTimeout(() => {
    log.error("a module did not stop in time; the process ends all the same");
    process.exit(code);
  }, STOP_FORCE_MS);
  timer.unref();
  watching.defer(() => clearTimeout(timer));
}
