import type { NodeId } from "../ids.ts";
import type { NoteKey } from "./note.ts";

/** Names under which nothing outside is ever found; they only tell logs and witnesses apart. */
const DOMAIN = "galaxy-pool.internal";

/** The origin of an installation's log; a log that had to begin anew is another log. */
export function originOf(installation: string, log: string): string {
  return `${DOMAIN}/${installation}/audit/${log}`;
}

/** Whether a log is one of this installation. */
export function isOriginIn(installation: string, origin: string): boolean {
  return origin.startsWith(originOf(installation, ""));
}

const WITNESS = `${DOMAIN}/node/`;

/** A node as a witness: its name stays, whatever key it has. */
export function witnessKey(node: NodeId, publicKey: Uint8Array): NoteKey {
  return { name: `${WITNESS}${node}`, type: "witness", publicKey };
}

/** The node that cosigns under this name; undefined for a name that is no node's. */
export function nodeOfWitness(name: string): string | undefined {
  return name.startsWith(WITNESS) ? name.slice(WITNESS.length) : undefined;
}
