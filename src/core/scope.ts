import { PoolError } from "@/std/errors.ts";
import type { Caller } from "./caller.ts";

const SCOPE = /^[a-z][a-z0-9-]{0,31}:(?:read|write)$/;

/**
 * The area a path belongs to: the first segment behind `/api/v1`, and elsewhere the first of all. A
 * path that has none, like `/`, is the area `root`.
 */
export function areaOf(path: string): string {
  const [, first = "", version, second = ""] = path.split("/");
  const area = first === "api" && version === "v1" ? second : first;
  return area === "" ? "root" : area;
}

/** What a request needs to be in the scopes of a key: reading and writing are apart. */
export function scopeOf(method: string, path: string): string {
  return `${areaOf(path)}:${method === "GET" || method === "HEAD" ? "read" : "write"}`;
}

/** Whether a text is a scope by its shape, as `nodes:read`. */
export function isScope(text: string): boolean {
  return SCOPE.test(text);
}

/** Whether a caller may make such a request as far as its scopes go; without scopes it may. */
export function isInScope({ scopes }: Caller, method: string, path: string): boolean {
  return scopes === undefined || scopes.includes(scopeOf(method, path));
}

/** The refusal of a key whose roles would do, but not its scopes. */
export function outOfScope(method: string, path: string): PoolError {
  const scope = scopeOf(method, path);
  return new PoolError(
    "denied",
    "access.scope",
    `This API key is limited to scopes, and ${scope} is not among them. Make a key that has it.`,
    { scope },
  );
}
