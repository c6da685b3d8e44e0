import { describe, expect, test } from "bun:test";
import { TestClock } from "#test/support/clock.ts";
import { databases } from "#test/support/database.ts";
import { systemCaller } from "@/core/caller.ts";
import { Audit } from "@/modules/audit/service.ts";
import { AUDIT_MIGRATIONS } from "@/modules/audit/table.ts";
import { PoolError } from "@/std/errors.ts";

describe.each(databases())("the audit on $kind", ({ open }) => {
  test("keeps who did what to whom, in order", async () => {
    const clock = new TestClock(1_000);
    await using opened = await open(clock);
    const { database } = opened;
    await database.migrate(AUDIT_MIGRATIONS);
    const audit = new Audit(database, clock);
    const caller = systemCaller("poot");

    await database.commit([
      audit.row(caller, "pool.created", "a", { uses: 2, kind: "main", open: false, org: null }),
      audit.row(caller, "node.joined", "b"),
    ]);

    const rows = await database.sql.selectFrom("audit").selectAll().orderBy("id").execute();
    expect(rows).toEqual([
      {
        id: 1n,
        at: 1_000n,
        actor: "system:poot",
        action: "pool.created",
        subject: "a",
        detail: '{"kind":"main","open":false,"org":null,"uses":2}',
      },
      {
        id: 2n,
        at: 1_000n,
        actor: "system:poot",
        action: "node.joined",
        subject: "b",
        detail: "{}",
      },
    ]);
  });

  test("keeps no token that somebody wrote into a reason", async () => {
    await using opened = await open();
    const { database } = opened;
    await database.migrate(AUDIT_MIGRATIONS);
    const audit = new Audit(database, new TestClock());
    const reason = `"gpo_${"a".repeat(26)}" was seen`;
    await database.commit([audit.row(systemCaller("poot"), "node.suspended", "a", { reason })]);
    const [row] = await database.sql.selectFrom("audit").select("detail").execute();
    expect(JSON.parse(row?.detail ?? "")).toEqual({ reason: '"gpo_[hidden]" was seen' });
  });

  test("keeps nothing of a change that was refused", async () => {
    const clock = new TestClock();
    await using opened = await open(clock);
    const { database } = opened;
    await database.migrate(AUDIT_MIGRATIONS);
    const audit = new Audit(database, clock);
    const row = audit.row(systemCaller("poot"), "node.left", "a");
    const nobody = database.sql.deleteFrom("audit").where("subject", "=", "nobody").compile();
    const refusal = new PoolError("conflict", "test.nobody", "Nobody is there.");
    const commit = database.commit([row, { query: nobody, rows: 1, refusal }]);
    await expect(commit).rejects.toBe(refusal);
    expect(await database.sql.selectFrom("audit").selectAll().execute()).toEqual([]);
  });
});
