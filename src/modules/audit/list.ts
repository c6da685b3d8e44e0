import type { Selectable } from "kysely";
import type { Database, Tables } from "@/ports/database.ts";
import type { PageRequest } from "@/std/paging.ts";

/** Which acts are wanted. */
export interface ActFilter {
  readonly actor?: string | undefined;
  /** `node.left`, or all that begin alike: `node.*`. */
  readonly action?: string | undefined;
  readonly subject?: string | undefined;
  readonly fromMs?: number | undefined;
  readonly toMs?: number | undefined;
  readonly order: "newest" | "oldest";
}

export type ActRow = Selectable<Tables["audit"]>;

/** One act more than the page holds, in the order asked for. */
export async function listActs(
  database: Database,
  filter: ActFilter,
  page: PageRequest,
): Promise<readonly ActRow[]> {
  const isNewest = filter.order === "newest";
  let query = database.sql.selectFrom("audit").selectAll();
  if (page.after !== undefined) query = query.where("id", isNewest ? "<" : ">", BigInt(page.after));
  if (filter.actor !== undefined) query = query.where("actor", "=", filter.actor);
  if (filter.subject !== undefined) query = query.where("subject", "=", filter.subject);
  if (filter.fromMs !== undefined) query = query.where("at", ">=", BigInt(filter.fromMs));
  if (filter.toMs !== undefined) query = query.where("at", "<", BigInt(filter.toMs));
  const { action } = filter;
  if (action?.endsWith("*")) {
    // Both ends in code points: neither database is asked to read a pattern.
    const stem = action.slice(0, -1);
    query = query.where("action", ">=", stem).where("action", "<", `${stem}\u{10ffff}`);
  } else if (action !== undefined) query = query.where("action", "=", action);
  const ordered = query.orderBy("id", isNewest ? "desc" : "asc").limit(page.limit + 1);
  return database.read(ordered.compile());
}
