import type { Machine, MachineMark } from "@/ports/machine.ts";
import { toHex, utf8 } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";
import type { Keeping, MachineMarks } from "./keeping.ts";

/** What knowing the own machine takes. */
export interface OwnMachineParts {
  readonly keeping: Keeping;
  readonly machine: Machine;
}

const KINDS: readonly MachineMark[] = ["board", "system"];

/**
 * Refuses to act for a node whose key was made on another machine: a card that was copied would be one
 * node on two boards. A node that never noted its machine notes it now.
 */
export function requireOwnMachine(parts: OwnMachineParts): void {
  const kept = parts.keeping.machineMarks();
  const now = marksOf(parts);
  if (kept === undefined) parts.keeping.saveMachineMarks(now);
  else if (isOther(kept, now)) throw otherMachine();
}

/** This machine is the node's from now on. */
export function adoptMachine(parts: OwnMachineParts): void {
  parts.keeping.saveMachineMarks(marksOf(parts));
}

/** By the first mark that both know: a board that is the same says more than a system made anew. */
function isOther(kept: MachineMarks, now: MachineMarks): boolean {
  const kind = KINDS.find((one) => isComparable(kept[one], now[one]));
  return kind !== undefined && kept[kind] !== now[kind];
}

/** A serial number read elsewhere, such as by root and by a service, is none to compare with. */
function isComparable(kept: string | undefined, now: string | undefined): boolean {
  return kept?.split(" ")[0] === now?.split(" ")[0] && kept !== undefined;
}

/** Only hashes are kept, each with where it was read. */
function marksOf({ machine }: OwnMachineParts): MachineMarks {
  const marks = Object.entries(machine.marks()).map(([kind, mark]) => {
    const [path = ""] = mark.split("=");
    return [kind, `${path} ${toHex(sha256(utf8(`gp-machine-v1 ${mark}`)))}`];
  });
  return Object.fromEntries(marks);
}

function otherMachine(): PoolError {
  return new PoolError(
    "precondition",
    "node.other_machine",
    "The key in this folder was made on another machine. If the card was copied, this machine needs a node " +
      'of its own: re-join with "galaxy-pool node join HOST --token … --new-node". If the board was ' +
      "swapped and the other one is gone, re-join with --same-node: it stays the same node, with its balance.",
  );
}
