import type { Command } from "commander";
import { PoolError } from "@/std/errors.ts";
import uninstall from "../../scripts/uninstall.sh" with { type: "text" };
import credentials from "../../systemd/drop-ins/credentials.conf" with { type: "text" };
import lan from "../../systemd/drop-ins/lan.conf" with { type: "text" };
import nodeLan from "../../systemd/drop-ins/node-lan.conf" with { type: "text" };
import wx from "../../systemd/drop-ins/wx.conf" with { type: "text" };
import nodeUnit from "../../systemd/galaxy-node.service" with { type: "text" };
import poolUnit from "../../systemd/galaxy-pool.service" with { type: "text" };
import { manualOf } from "./manual.ts";
import { print } from "./output.ts";

/** A file a system needs beside the executable. */
interface SystemFile {
  readonly name: string;
  /** Where it is put; BIN is the folder of the executable. */
  readonly path: string;
  readonly mode: string;
  readonly what: string;
  readonly text: (program: Command) => string;
}

interface Flags {
  readonly binDir: string;
  readonly json?: boolean;
}

const BIN = "/usr/local/bin";
const UNITS = "/etc/systemd/system";

const FILES: readonly SystemFile[] = [
  {
    name: "galaxy-pool.service",
    path: `${UNITS}/galaxy-pool.service`,
    mode: "0644",
    what: "the systemd unit of a pool",
    text: () => poolUnit,
  },
  {
    name: "galaxy-node.service",
    path: `${UNITS}/galaxy-node.service`,
    mode: "0644",
    what: "the systemd unit of a node",
    text: () => nodeUnit,
  },
  {
    name: "lan.conf",
    path: `${UNITS}/galaxy-pool.service.d/lan.conf`,
    mode: "0644",
    what: "drop-in: a pool for private addresses only",
    text: () => lan,
  },
  {
    name: "node-lan.conf",
    path: `${UNITS}/galaxy-node.service.d/lan.conf`,
    mode: "0644",
    what: "drop-in: a node that speaks to private addresses only",
    text: () => nodeLan,
  },
  {
    name: "credentials.conf",
    path: `${UNITS}/galaxy-pool.service.d/credentials.conf`,
    mode: "0644",
    what: "drop-in: keys and passwords from systemd, to be edited",
    text: () => credentials,
  },
  {
    name: "wx.conf",
    path: `${UNITS}/galaxy-pool.service.d/wx.conf`,
    mode: "0644",
    what: "drop-in, for a node too: no memory both writable and executable",
    text: () => wx,
  },
  {
    name: "galaxy-pool-uninstall",
    path: `${BIN}/galaxy-pool-uninstall`,
    mode: "0755",
    what: "takes everything away again",
    text: () => uninstall,
  },
  {
    name: "galaxy-pool.8",
    path: "/usr/local/share/man/man8/galaxy-pool.8",
    mode: "0644",
    what: "the manual page",
    text: manualOf,
  },
];

/** `files`: what the executable carries for the system it is installed on. */
export function filesCommand(program: Command): void {
  program
    .command("files [name]")
    .description("list the files a system needs (units, manual page, uninstall), or print one")
    .option("--bin-dir <folder>", "where the executable lies", BIN)
    .option("--json", "print JSON")
    .addHelpText(
      "after",
      "\nExamples:\n  galaxy-pool files\n  galaxy-pool files galaxy-pool.service --bin-dir /opt/bin",
    )
    .action((name: string | undefined, flags: Flags) => {
      const folder = binDirOf(flags);
      if (name === undefined) listFiles(folder, flags);
      else printFile(getFile(name), program, folder, flags);
    });
}

function listFiles(folder: string, flags: Flags): void {
  const items = FILES.map(({ name, path, mode, what }) => ({
    name,
    mode,
    path: inFolder(path, folder),
    what,
  }));
  if (flags.json) print.json({ items });
  else
    print.table(
      ["file", "mode", "where", "what"],
      items.map(({ name, mode, path, what }) => [name, mode, path, what]),
    );
}

function printFile(file: SystemFile, program: Command, folder: string, flags: Flags): void {
  const text = inFolder(file.text(program), folder);
  const { name, mode, path } = file;
  if (flags.json) print.json({ name, mode, path: inFolder(path, folder), text });
  else print.line(text.trimEnd());
}

function inFolder(text: string, folder: string): string {
  return text.replaceAll(BIN, folder);
}

function getFile(name: string): SystemFile {
  const file = FILES.find((one) => one.name === name);
  if (file) return file;
  const names = FILES.map((one) => one.name).join(", ");
  throw new PoolError("invalid", "cli.no_such_file", `There is no "${name}"; choose ${names}.`);
}

/** A path systemd and the shell take as one plain word. */
function binDirOf({ binDir }: Flags): string {
  if (/^(\/[\w.+-]+)+$/.test(binDir)) return binDir;
  throw new PoolError(
    "invalid",
    "cli.invalid",
    `--bin-dir ${binDir}: write a whole path of letters, digits, ".", "_", "+" and "-", such as /opt/bin.`,
  );
}
