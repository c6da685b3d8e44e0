import type { Logger } from "pino";
import { nodeModules } from "@/app.ts";
import { configKeys, configure } from "@/kernel/config.ts";
import { Kernel } from "@/kernel/kernel.ts";
import type { AnyModule, Services } from "@/kernel/module.ts";
import { absolute, defaultLocations } from "./locations.ts";
import { openLog } from "./logging.ts";

/** The node's side of this program, over one folder. */
export type Agent = Services["agent"];

/** What every verb of a node may be told. */
export interface FolderFlags {
  readonly data?: string;
  readonly json?: boolean;
}

/** How a node is opened for one verb. */
export interface FolderTerms {
  readonly flags: FolderFlags;
  readonly logLevel?: string;
  /** Who said that level. */
  readonly levelOrigin?: string;
  readonly modules?: readonly AnyModule[];
}

/** Does one thing with the node of a folder. */
export async function withAgent<T>(
  { flags, logLevel = "warn", levelOrigin = "flag", modules = nodeModules }: FolderTerms,
  act: (agent: Agent, kernel: Kernel, log: Logger) => Promise<T>,
): Promise<T> {
  const data = absolute(
    flags.data ?? process.env["GALAXY_POOL_DATA"] ?? defaultLocations().nodeData,
  );
  const values = new Map<string, unknown>([
    ["storage.data_dir", data],
    ["logging.level", logLevel.toUpperCase()],
  ]);
  const origin = (path: string) => (path === "logging.level" ? levelOrigin : "flag");
  const configuration = configure(configKeys(modules), [{ origin, values }]);
  const log = openLog(configuration, "error");
  const kernel = await Kernel.start(modules, { log, configuration });
  try {
    return await act(kernel.service("agent"), kernel, log);
  } finally {
    await kernel.stop();
  }
}
