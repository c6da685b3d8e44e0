import { GUARDED_CODES } from "@/core/ledger/transfer.ts";
import type { Migration } from "@/ports/database.ts";

/** Intentions of our own, which a guard may refuse; facts are always bookable. */
const GUARDED = `(NEW.kind = 1 OR (NEW.kind = 0 AND NEW.code IN (${GUARDED_CODES.map((code) => `'${code}'`).join(", ")})))`;
const RESOLVES = "NEW.kind IN (2, 3)";
const TAKES = "CASE WHEN NEW.kind IN (0, 2) THEN NEW.amount ELSE 0 END";
const RESERVES = "CASE NEW.kind WHEN 1 THEN NEW.amount WHEN 0 THEN 0 ELSE -NEW.amount END";

/** The rules of the ledger: what refuses a transfer, in the order in which it is asked. */
const RULES: readonly (readonly [string, string])[] = [
  [
    "ledger.account_unknown",
    "(SELECT count(*) FROM account WHERE id IN (NEW.from_account, NEW.to_account)) < 2",
  ],
  [
    "ledger.ledgers_differ",
    "EXISTS (SELECT 1 FROM account WHERE id IN (NEW.from_account, NEW.to_account) AND ledger <> NEW.ledger)",
  ],
  [
    "ledger.pending_unknown",
    `${RESOLVES} AND NOT EXISTS (SELECT 1 FROM transfer WHERE id = NEW.pending_id AND kind = 1)`,
  ],
  [
    "ledger.pending_resolved",
    `${RESOLVES} AND EXISTS (SELECT 1 FROM transfer WHERE pending_id = NEW.pending_id)`,
  ],
  [
    "ledger.pending_differs",
    `(NOT ${RESOLVES} AND NEW.pending_id IS NOT NULL) OR (${RESOLVES} AND NOT EXISTS (
      SELECT 1 FROM transfer WHERE id = NEW.pending_id AND amount = NEW.amount
        AND from_account = NEW.from_account AND to_account = NEW.to_account AND code = NEW.code))`,
  ],
  [
    "ledger.overdrawn",
    `${GUARDED} AND (
      EXISTS (SELECT 1 FROM account WHERE id = NEW.from_account AND guard = 1 AND NEW.amount > cp - dp - dq)
      OR EXISTS (SELECT 1 FROM account WHERE id = NEW.to_account AND guard = 2 AND NEW.amount > dp - cp - cq))`,
  ],
];

const APPLY = `
  UPDATE account SET dp = dp + ${TAKES}, dq = dq + ${RESERVES} WHERE id = NEW.from_account;
  UPDATE account SET cp = cp + ${TAKES}, cq = cq + ${RESERVES} WHERE id = NEW.to_account;`;

const LOGS = ["transfer", "tariff"];

/**
 * Triggers: a transfer that breaks a rule is refused by its code, a good one is applied to its two
 * accounts, none is ever changed. On PostgreSQL it is applied before the row is stored, because
 * there the rows of one statement are all stored before what comes after them.
 */
export const GUARD_MIGRATION: Migration = {
  name: "ledger/0005-guards",
  sqlite: [
    `CREATE TRIGGER transfer_checked BEFORE INSERT ON transfer BEGIN
      ${RULES.map(([code, rule]) => `SELECT RAISE(ABORT, '${code}') WHERE ${rule};`).join("\n")}
    END`,
    `CREATE TRIGGER transfer_applied AFTER INSERT ON transfer BEGIN ${APPLY} END`,
    ...LOGS.flatMap((table) =>
      ["UPDATE", "DELETE"].map(
        (act) =>
          `CREATE TRIGGER ${table}_no_${act.toLowerCase()} BEFORE ${act} ON ${table}
            BEGIN SELECT RAISE(ABORT, 'ledger.immutable'); END`,
      ),
    ),
  ],
  postgres: [
    `CREATE FUNCTION transfer_book() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      ${RULES.map(([code, rule]) => `IF ${rule} THEN RAISE EXCEPTION '${code}'; END IF;`).join("\n")}
      ${APPLY}
      RETURN NEW;
    END $$`,
    `CREATE TRIGGER transfer_booked BEFORE INSERT ON transfer
      FOR EACH ROW EXECUTE FUNCTION transfer_book()`,
    `CREATE FUNCTION ledger_immutable() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'ledger.immutable';
    END $$`,
    ...LOGS.map(
      (table) => `CREATE TRIGGER ${table}_immutable BEFORE UPDATE OR DELETE ON ${table}
        FOR EACH ROW EXECUTE FUNCTION ledger_immutable()`,
    ),
  ],
};
