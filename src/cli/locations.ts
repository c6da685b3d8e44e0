import { homedir } from "node:os";
import { join, resolve } from "node:path";

/** Where things lie unless somebody says otherwise: system paths for root, home paths for people. */
export interface Locations {
  readonly config: string;
  readonly poolData: string;
  readonly nodeData: string;
}

/** The default locations of whoever runs this. */
export function defaultLocations(environment: NodeJS.ProcessEnv = process.env): Locations {
  if (process.getuid?.() === 0) {
    return {
      config: "/etc/galaxy-pool/config.yaml",
      poolData: "/var/lib/galaxy-pool",
      nodeData: "/var/lib/galaxy-node",
    };
  }
  const config = environment["XDG_CONFIG_HOME"] ?? join(homedir(), ".config");
  const data = environment["XDG_DATA_HOME"] ?? join(homedir(), ".local/share");
  return {
    config: join(config, "galaxy-pool/config.yaml"),
    poolData: join(data, "galaxy-pool"),
    nodeData: join(data, "galaxy-node"),
  };
}

/** A path as typed, from the root of the file system. */
export function absolute(path: string): string {
  return resolve(path);
}
