import { type Asked, frontTerms, requestOf, TEST_BODY_BYTES } from "#test/support/http.ts";
import type { MoneyWorld } from "#test/support/money-world.ts";
import { type Caller, nodeCaller, type Role } from "@/core/caller.ts";
import type { NodeId } from "@/core/ids.ts";
import { Idempotency, idempotencyMigrations } from "@/drivers/http/idempotency.ts";
import { Listeners } from "@/drivers/http/listeners.ts";
import { HttpServer } from "@/drivers/http/server.ts";
import { showFigures as showLedgerFigures } from "@/modules/ledger/figures.ts";
import { NightlyCheck } from "@/modules/ledger/nightly.ts";
import { ledgerAccess, ledgerRoutes } from "@/modules/ledger/routes.ts";
import { addressAccess, addressRoutes } from "@/modules/payouts/address-routes.ts";
import { showFigures as showPayoutFigures } from "@/modules/payouts/figures.ts";
import { payoutAccess, payoutRoutes } from "@/modules/payouts/routes.ts";

/** The routes of money behind the real HTTP server; a bearer token is a role, or a node's id. */
export async function moneyOverHttp(world: MoneyWorld) {
  const { database, clock, log, ledger, payouts, registry, rail, metrics } = world;
  await database.migrate(idempotencyMigrations);
  const bounds = { maxBodyBytes: TEST_BODY_BYTES, idleTimeoutSeconds: 10 };
  const nowhere = { address: "127.0.0.1", port: 0, secureAddress: "::", securePort: 0 };
  const faults: unknown[] = [];
  const server = new HttpServer({
    log,
    listeners: new Listeners({ front: frontTerms(clock), log, ...nowhere, ...bounds }),
    maxBodyBytes: TEST_BODY_BYTES,
    idempotency: new Idempotency(database, clock, 86_400_000),
    onFatal: (fault) => void faults.push(fault),
  });
  const http = server;
  const now = () => world.credits.poolTime();
  server.mount(
    ledgerRoutes({ ledger, registry, http, now, checkpoint: () => undefined }),
    ledgerAccess,
  );
  server.mount(payoutRoutes({ payouts, registry, rail, http }), payoutAccess);
  server.mount(addressRoutes({ addresses: payouts.addresses, registry, http }), addressAccess);
  server.authenticateWith(callerByToken);
  showLedgerFigures(metrics, ledger, new NightlyCheck(() => ledger.check(), log));
  showPayoutFigures(metrics, payouts, () => clock.now());
  const origin = { isSecure: false, addressOf: () => "127.0.0.1", keepOpen: () => {} };
  const ask = (method: string, path: string, asked: Asked = {}) =>
    server.answer(requestOf(method, `http://localhost/api/v1${path}`, asked), origin);
  /** The JSON of an answer that must be this one. */
  const json = async (
    method: string,
    path: string,
    asked: Asked = {},
    status = 200,
    // biome-ignore lint/suspicious/noExplicitAny: whatever JSON came
  ): Promise<any> => {
    const answer = await ask(method, path, asked);
    const body: unknown = await answer.json();
    if (answer.status === status) return body;
    throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(body)}`);
  };
  return { ask, json, faults };
}

async function callerByToken(request: Request): Promise<Caller | undefined> {
  const token = request.headers.get("authorization")?.slice("Bearer ".length);
  if (token === undefined) return undefined;
  if (token.length === 26) return nodeCaller(token as NodeId);
  return { type: "operator", id: `operator:${token}`, roles: [token as Role] };
}
