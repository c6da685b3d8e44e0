import type { Message } from "@bufbuild/protobuf";
import type { Named } from "@/core/sight.ts";
import type { Call } from "@/ports/grpc.ts";
import type { Guard } from "@/ports/http.ts";
import type { ServedMethod } from "./answering.ts";

const KINDS: Readonly<Record<string, Named["kind"]>> = { pool_id: "pool", node_id: "node" };

/** The method as it is served, but for nodes and pools that are hidden from its caller. */
export function guarded(served: ServedMethod, guard: Guard): ServedMethod {
  const { method, access } = served;
  const fields = method.input.fields.filter(({ name }) => Object.hasOwn(KINDS, name));
  if (access === "anyone" || fields.length === 0) return served;
  const rpc = served.rpc as (request: Message, call: Call) => ReturnType<ServedMethod["rpc"]>;
  return {
    ...served,
    rpc: (request: Message, call: Call) => {
      const words = request as unknown as Readonly<Record<string, unknown>>;
      const named = fields.flatMap(({ name, localName }): Named[] => {
        const [kind, id] = [KINDS[name], words[localName]];
        return kind && typeof id === "string" && id !== "" ? [{ kind, id, place: "path" }] : [];
      });
      if (call.caller && named.length > 0) guard(call.caller, { named, reach: "sight" });
      return rpc(request, call);
    },
  };
}
