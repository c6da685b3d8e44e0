import { existsSync } from "node:fs";
import { join } from "node:path";
import type { Logger } from "pino";
import { initModules } from "@/app.ts";
import { Kernel } from "@/kernel/kernel.ts";
import { PoolError } from "@/std/errors.ts";
import { type ConfigFlags, type LoadedConfiguration, loadConfiguration } from "./configuration.ts";
import { openLog } from "./logging.ts";
import { leaveMarker, requireNotVanished } from "./marker.ts";
import { asTyped, print } from "./output.ts";
import { EXIT } from "./refusals.ts";
import { writeWholeFile } from "./whole-file.ts";

/** What `init` may be told. */
export interface InitFlags extends ConfigFlags {
  readonly name?: string | undefined;
  readonly kind?: string | undefined;
  readonly org?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Makes data folder, keys, CA, certificates, operator token and a default pool; repeating it changes nothing. */
export async function init(flags: InitFlags): Promise<number> {
  const made = Promise.withResolvers<Made>();
  const { name = "default", kind = "main", org } = flags;
  const modules = initModules({ name, kind, org, done: made.resolve });
  const wanted = flags.config === undefined ? flags : { ...flags, config: ensureFile(flags) };
  const loaded = loadConfiguration(wanted);
  const dataDir = String(loaded.configuration.value("storage.data_dir"));
  requireNotVanished(loaded.file, dataDir);
  if (!loaded.fileExists) writeFirstConfig(loaded.file, dataDir);
  const log = openLog(loaded.configuration, "error");
  log.level = "warn";
  await initialise(loaded, modules, log);
  const installation = await made.promise;
  leaveMarker(loaded.file, dataDir, installation.installationId);
  tell(installation, loaded, dataDir, flags);
  return EXIT.done;
}

interface Made {
  readonly installationId: string;
  readonly pin: string;
  readonly pool: { readonly id: string; readonly name: string; readonly kind: string };
  readonly fresh: boolean;
}

/**
 * Whether a data folder waits for its installation: it is empty, or making one was cut off. Once a
 * pool has served from it, what is missing was lost, and making that anew would hide it.
 */
export function isUnmade(dataDir: string): boolean {
  const has = (name: string): boolean => existsSync(join(dataDir, name));
  return !has("pool.db") && !(has("first-pool.json") && has("operator.token"));
}

/**
 * Makes the installation for `serve`, in the data folder alone: the file of configuration is left to
 * whoever wants one, and the marker beside it is left where that is allowed.
 */
export async function makeInstallation(loaded: LoadedConfiguration, log: Logger): Promise<void> {
  const made = Promise.withResolvers<Made>();
  await initialise(loaded, initModules({ name: "default", kind: "main", done: made.resolve }), log);
  const { installationId, pin, pool } = await made.promise;
  log.info(
    { ca_pin: pin, pool: pool.id, installation: installationId },
    "an installation was made",
  );
  const dataDir = String(loaded.configuration.value("storage.data_dir"));
  try {
    leaveMarker(loaded.file, dataDir, installationId);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    log.debug({ why }, "no marker can be left beside the configuration");
  }
}

async function initialise(
  { configuration }: LoadedConfiguration,
  modules: ReturnType<typeof initModules>,
  log: Logger,
): Promise<void> {
  const kernel = await Kernel.start(modules, { log, configuration });
  await kernel.stop();
}

/** `--config` names a file that `init` may make. */
function ensureFile(flags: InitFlags): string {
  const file = String(flags.config);
  if (!existsSync(file)) {
    const defaults = loadConfiguration({ ...flags, config: undefined });
    writeFirstConfig(file, String(defaults.configuration.value("storage.data_dir")));
  }
  return file;
}

function writeFirstConfig(file: string, dataDir: string): void {
  const text = `# The configuration of this pool. Every key: galaxy-pool config reference
storage:
  data_dir: ${JSON.stringify(dataDir)}
`;
  try {
    writeWholeFile(file, text);
  } catch (error) {
    throw new PoolError(
      "denied",
      "config.unwritable",
      `${file} cannot be written: ${error instanceof Error ? error.message : error}. Run as a user who may, or name another with --config FILE.`,
    );
  }
}

function tell(made: Made, loaded: LoadedConfiguration, dataDir: string, flags: InitFlags): void {
  const facts = {
    installation_id: made.installationId,
    ca_pin: made.pin,
    pool: made.pool,
    data_dir: dataDir,
    config_file: loaded.file,
    created: made.fresh,
  };
  if (flags.json) {
    print.json(facts);
    return;
  }
  print.line(
    made.fresh ? "The pool is initialised." : "Everything was there already; nothing changed.",
  );
  print.facts([
    ["pool", `${made.pool.name} (${made.pool.kind}, ${made.pool.id})`],
    ["CA pin", made.pin],
    ["data", dataDir],
    ["configuration", loaded.file],
  ]);
  const same = [
    flags.config === undefined ? "" : ` --config ${asTyped(flags.config)}`,
    loaded.configuration.origin("storage.data_dir") === "flag"
      ? ` --data ${asTyped(flags.data ?? "")}`
      : "",
  ].join("");
  print.line(`Next: galaxy-pool serve${same}, then: galaxy-pool token create${same}`);
}
