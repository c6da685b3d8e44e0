import type { State } from "@/core/consensus/state.ts";
import { toHex } from "@/std/bytes.ts";

/** Everything a replica is, as text: equal for equal replicas, whatever the order of their maps (S14). */
export function stateTextOf({ replica }: State): string {
  const { config: _, effects: __, ...rest } = replica;
  return JSON.stringify(rest, (_, value: unknown) => {
    if (value instanceof Uint8Array) return toHex(value);
    if (value instanceof Map)
      return [...value].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1));
    if (value instanceof Set) return [...value].sort();
    return value;
  });
}
