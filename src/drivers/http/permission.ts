import { type Caller, denied, isOfInstallation } from "@/core/caller.ts";
import { isInScope, outOfScope } from "@/core/scope.ts";
import type { RouteAccess } from "@/ports/http.ts";

/** Refuses a caller that has no role of a row of the permission table. */
export function requireRole(caller: Caller, { access }: RouteAccess): void {
  const isListed = access !== "anyone" && access.some((role) => caller.roles.includes(role));
  if (!isListed) throw denied("do this");
}

/** Refuses a caller whose roles would do, but not its scopes or its organization. */
export function requireScope(caller: Caller, { method, path, reach }: RouteAccess): void {
  if (!isInScope(caller, method, path)) throw outOfScope(method, path);
  if (reach === "installation" && !isOfInstallation(caller)) {
    throw denied("do what concerns the whole installation");
  }
}
