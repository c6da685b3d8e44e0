import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { initModules } from "@/app.ts";
import { Kernel } from "@/kernel/kernel.ts";
import { PoolError } from "@/std/errors.ts";
import { type ConfigFlags, type LoadedConfiguration, loadConfiguration } from "./configuration.ts";
import { openLog } from "./logging.ts";
import { leaveMarker, requireNotVanished } from "./marker.ts";
import { print } from "./output.ts";
import { EXIT } from "./refusals.ts";

/** What `init` may be told. */
export interface InitFlags extends ConfigFlags {
  readonly name?: string | undefined;
  readonly kind?: string | undefined;
  readonly json?: boolean | undefined;
}

/** Makes data folder, keys, CA, certificates, operator token and a default pool; repeating it changes nothing. */
export async function init(flags: InitFlags): Promise<number> {
  const wanted = flags.config === undefined ? flags : { ...flags, config: ensureFile(flags) };
  const loaded = loadConfiguration(wanted);
  const dataDir = String(loaded.configuration.value("storage.data_dir"));
  requireNotVanished(loaded.file, dataDir);
  if (!loaded.fileExists) writeFirstConfig(loaded.file, dataDir);
  const made = await initialise(loaded, flags);
  leaveMarker(loaded.file, dataDir, made.installationId);
  tell(made, loaded, dataDir, flags);
  return EXIT.done;
}

interface Made {
  readonly installationId: string;
  readonly pin: string;
  readonly pool: { readonly id: string; readonly name: string; readonly kind: string };
  readonly fresh: boolean;
}

async function initialise(loaded: LoadedConfiguration, flags: InitFlags): Promise<Made> {
  const made = Promise.withResolvers<Made>();
  const wanted = { name: flags.name ?? "default", kind: flags.kind ?? "main", done: made.resolve };
  const log = openLog(loaded.configuration);
  log.level = "warn";
  const { configuration } = loaded;
  const kernel = await Kernel.start(initModules(wanted), { log, configuration });
  await kernel.stop();
  return made.promise;
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
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text, { flag: "wx", mode: 0o644 });
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
    flags.config === undefined ? "" : ` --config ${flags.config}`,
    loaded.configuration.origin("storage.data_dir") === "flag" ? ` --data ${flags.data}` : "",
  ].join("");
  print.line(`Next: galaxy-pool serve${same}, then: galaxy-pool token create${same}`);
}
