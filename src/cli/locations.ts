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
  const home = homeOf(environment);
  const config = environment["XDG_CONFIG_HOME"] ?? join(home, ".config");
  const data = environment["XDG_DATA_HOME"] ?? join(home, ".local/share");
  return {
    config: join(config, "galaxy-pool/config.yaml"),
    poolData: join(data, "galaxy-pool"),
    nodeData: join(data, "galaxy-node"),
  };
}

/** The home folder; the root for a user no list of users names, such as one of a container's choice. */
export function homeOf(environment: NodeJS.ProcessEnv, ask: () => string = homedir): string {
  if (environment["HOME"]) return environment["HOME"];
  try {
    return ask();
  } catch {
    return "/";
  }
}

/** A path as typed, from the root of the file system. */
export function absolute(path: string): string {
  return resolve(path);
}
