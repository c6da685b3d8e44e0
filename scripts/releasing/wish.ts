import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { misuse } from "./refusal.ts";

export const ARCHITECTURES = ["arm64", "x64"] as const;
export type Architecture = (typeof ARCHITECTURES)[number];

/** The architecture of the machine the release is made on. */
export const HOST: Architecture = process.arch === "arm64" ? "arm64" : "x64";

/** What the person asked for. */
export interface Wish {
  readonly out: string;
  readonly architectures: readonly Architecture[];
  readonly version: string | undefined;
  readonly baseUrl: string | undefined;
  readonly executables: string | undefined;
  readonly minisignKey: string | undefined;
  readonly sshKey: string | undefined;
  readonly unsigned: boolean;
  readonly allowDirty: boolean;
  readonly verify: boolean;
  readonly json: boolean;
}

export const USAGE = `Usage: scripts/release --minisign-key FILE --ssh-key FILE [options]

Builds the executables of HEAD for arm64 and x64 from a clean clone and writes, ready to be served:
  OUT/download/vVERSION/…  and the same files as  OUT/latest/download/…

  --out FOLDER          where to put the release (dist/release)
  --minisign-key FILE   the minisign secret key; its password is asked for, if it has one
  --ssh-key FILE        the SSH private key (ed25519), for hosts without minisign
  --unsigned            go on although a key is missing
  --as VERSION          call it another version than package.json does, for trials
  --only ARCHITECTURE   arm64 or x64 alone
  --base-url URL        where install.sh fetches the release from (stamped into it)
  --executables FOLDER  take galaxy-pool-linux-{arm64,x64} from FOLDER instead of building them
  --verify              build a second time in other surroundings and compare the bytes
  --allow-dirty         take the work tree as it is, for trials
  --json                print a summary as JSON at the end; progress goes to stderr

It works in $TMPDIR, which needs 1.5 GB, and takes packages from npm's cache before the network.
`;

/** Reads the command line; undefined when only the help was asked for. */
export function wishFrom(words: readonly string[], root: string): Wish | undefined {
  const given = valuesOf(words);
  if (given.help) return undefined;
  if (given.executables !== undefined && given.verify)
    throw misuse("--verify builds twice; with --executables nothing is built.");
  return {
    out: resolve(given.out ?? `${root}/dist/release`),
    architectures: architecturesOf(given.only),
    version: versionOf(given.as),
    baseUrl: baseUrlOf(given["base-url"]),
    executables: pathOf(given.executables),
    minisignKey: pathOf(given["minisign-key"]),
    sshKey: pathOf(given["ssh-key"]),
    unsigned: given.unsigned,
    allowDirty: given["allow-dirty"],
    verify: given.verify,
    json: given.json,
  };
}

function valuesOf(words: readonly string[]) {
  const text = { type: "string" } as const;
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({
      args: [...words],
      options: {
        out: text,
        "minisign-key": text,
        "ssh-key": text,
        as: text,
        only: text,
        "base-url": text,
        executables: text,
        unsigned: flag,
        "allow-dirty": flag,
        verify: flag,
        json: flag,
        help: { ...flag, short: "h" },
      },
    }).values;
  } catch (error) {
    throw misuse(
      error instanceof Error ? `${error.message}.` : "The arguments are not understood.",
    );
  }
}

function architecturesOf(only: string | undefined): readonly Architecture[] {
  if (only === undefined) return ARCHITECTURES;
  const found = ARCHITECTURES.filter((one) => one === only);
  if (found.length === 0) throw misuse(`--only takes arm64 or x64, not "${only}".`);
  return found;
}

function versionOf(version: string | undefined): string | undefined {
  if (version === undefined || /^\d+\.\d+\.\d+(-[0-9A-Za-z.]+)?$/.test(version)) return version;
  throw misuse(`--as takes a version such as 1.2.3, not "${version}".`);
}

function baseUrlOf(url: string | undefined): string | undefined {
  if (url === undefined || /^https?:\/\/[^\s'"\\]+[^/\s'"\\]$/.test(url)) return url;
  throw misuse(`--base-url takes a URL without a slash at its end, not "${url}".`);
}

function pathOf(path: string | undefined): string | undefined {
  return path === undefined ? undefined : resolve(path);
}
