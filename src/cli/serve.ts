import type { Logger } from "pino";
import { Kernel } from "@/kernel/kernel.ts";
import { VERSION } from "@/std/version.ts";
import {
  type ConfigFlags,
  type LoadedConfiguration,
  loadConfiguration,
  modulesFor,
} from "./configuration.ts";
import type { Ending } from "./ending.ts";
import { isUnmade, makeInstallation } from "./init.ts";
import { openLog } from "./logging.ts";
import { requireNotVanished } from "./marker.ts";
import { addressesOf, forgetWhere, reportReady, statusLine, tellWhere } from "./pool-reports.ts";
import { tellRefusal } from "./refusals.ts";

/** What `serve` may be told. */
export interface ServeFlags extends ConfigFlags {
  /** Make the installation when there is none yet. */
  readonly init?: boolean | undefined;
}

/** Runs the pool until it is told to stop. SIGTERM and SIGINT stop it, SIGHUP reloads the configuration. */
export async function serve(flags: ServeFlags, ending: Ending): Promise<number> {
  const started = Promise.withResolvers<Kernel>();
  started.promise.catch(() => {});
  ending.on("SIGHUP", () => void started.promise.then((kernel) => reload(kernel)));
  const loaded = loadConfiguration(flags);
  const dataDir = String(loaded.configuration.value("storage.data_dir"));
  requireNotVanished(loaded.file, dataDir);
  const log = openLog(loaded.configuration);
  ending.sayIn(log);
  const reload = (kernel: Kernel) => reloadPool(kernel, flags, log);
  if (flags.init && isUnmade(dataDir)) await makeInstallation(loaded, log);

  const starting = startPool(loaded, log, (fault) => ending.fault(fault));
  starting.then(started.resolve, started.reject);
  const kernel = await unlessEnding(starting, ending);
  using reports = new DisposableStack();
  if (kernel && !ending.isBegun) await serveUntil(ending, kernel, reports, log);
  const code = await ending.code;
  await kernel?.stop();
  log.info({ code }, "the pool has stopped");
  return code;
}

/** What is started; undefined when it did not come up and is to end anyway. */
async function unlessEnding(
  starting: Promise<Kernel>,
  ending: Ending,
): Promise<Kernel | undefined> {
  try {
    return await starting;
  } catch (error) {
    if (!ending.isBegun) throw error;
    return undefined;
  }
}

async function serveUntil(
  ending: Ending,
  kernel: Kernel,
  reports: DisposableStack,
  log: Logger,
): Promise<void> {
  tellWhere(kernel, log);
  log.info({ version: VERSION, pid: process.pid, ...addressesOf(kernel) }, "the pool is up");
  reports.use(reportReady(kernel, () => ending.isBegun));
  await ending.code;
  kernel.service("supervisor").stopping("the pool is stopping");
  forgetWhere(kernel, log);
}

/** Starts all modules of a pool. */
function startPool(
  loaded: LoadedConfiguration,
  log: Logger,
  onFatal: (fault: unknown) => void,
): Promise<Kernel> {
  const { configuration } = loaded;
  return Kernel.start(modulesFor(configuration), { log, configuration, onFatal });
}

function reloadPool(kernel: Kernel, flags: ConfigFlags, log: Logger): void {
  const supervisor = kernel.service("supervisor");
  supervisor.reloading();
  try {
    const { applied, restart } = kernel.reload(loadConfiguration(flags).configuration);
    log.info({ applied, restart }, "the configuration was reloaded");
    if (restart.length > 0) log.warn({ keys: restart }, "these changes need a restart");
    supervisor.ready(statusLine(kernel));
  } catch (error) {
    tellRefusal(error, false);
    log.error({ err: error }, "the configuration was not reloaded; the old one stays");
    supervisor.ready("the configuration was not reloaded; the old one stays");
  }
}
