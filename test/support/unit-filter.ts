import { readFileSync } from "node:fs";
import { join } from "node:path";

const FOLDER = join(import.meta.dir, "../../systemd");
/** Numbers of the families a unit may name (socket.h of Linux). */
const FAMILIES: Readonly<Record<string, number>> = {
  AF_UNIX: 1,
  AF_INET: 2,
  AF_INET6: 10,
  AF_NETLINK: 16,
};

/** What a unit allows, as the kernel is told. */
export interface UnitFilter {
  readonly calls: readonly string[];
  readonly families: readonly number[];
}

/** The system calls and address families a unit allows, its sets spelt out by systemd. */
export function filterOf(unit: string): UnitFilter {
  const text = readFileSync(join(FOLDER, unit), "utf8");
  const sets = callSets();
  let calls = callsIn("@default", sets);
  for (const line of valuesOf(text, "SystemCallFilter")) {
    const named = line
      .replace("~", "")
      .split(" ")
      .flatMap((name) => callsIn(name, sets));
    calls = line.startsWith("~")
      ? calls.filter((one) => !named.includes(one))
      : [...calls, ...named];
  }
  const families = valuesOf(text, "RestrictAddressFamilies").join(" ").split(" ");
  return { calls: [...new Set(calls)], families: families.map((name) => FAMILIES[name] ?? -1) };
}

function valuesOf(text: string, name: string): string[] {
  return [...text.matchAll(new RegExp(`^${name}=(.*)$`, "gm"))].map(([, value = ""]) => value);
}

type CallSets = ReadonlyMap<string, readonly string[]>;

/** Every set by its name: calls, and other sets. */
function callSets(): CallSets {
  const said = Bun.spawnSync(["systemd-analyze", "syscall-filter", "--no-pager"]).stdout.toString();
  const sets = new Map<string, string[]>();
  let members: string[] = [];
  for (const line of said.split("\n")) {
    if (line.startsWith("@")) {
      members = [];
      sets.set(line.trim(), members);
    } else if (/^ {4}[@a-z_]/.test(line)) members.push(line.trim());
  }
  return sets;
}

function callsIn(name: string, sets: CallSets): string[] {
  if (!name.startsWith("@")) return [name];
  const members = sets.get(name);
  if (!members) throw new Error(`systemd-analyze knows no ${name}`);
  return members.flatMap((member) => callsIn(member, sets));
}
