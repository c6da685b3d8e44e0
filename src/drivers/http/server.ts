import { type AnyElysia, Elysia, t } from "elysia";
import type { Logger } from "pino";
import { type Caller, denied, unauthenticated } from "@/core/caller.ts";
import type { CertificatePair } from "@/ports/certificates.ts";
import type { Answer, Authenticate, Guard, Http, Remember, RouteAccess } from "@/ports/http.ts";
import type { Intake } from "@/ports/intake.ts";
import type { TellRefused } from "@/ports/refusal.ts";
import type { TellSeen } from "@/ports/sighting.ts";
import { AssertionError, assert } from "@/std/assert.ts";
import type { PoolError } from "@/std/errors.ts";
import { isLoopback } from "@/std/network.ts";
import { PAGE_LIMIT, PAGE_LIMIT_MAX, type Page } from "@/std/paging.ts";
import { VERSION } from "@/std/version.ts";
import { isUnsized, readBounded, requireObject, requireSmallJson } from "./body.ts";
import { guardCookie } from "./cookie-guard.ts";
import { docsAccess, docsRoutes } from "./docs.ts";
import { pageResponse } from "./encoding.ts";
import { Gate, type Place } from "./gate.ts";
import { type Idempotency, idempotencyKeyOf, requestHash } from "./idempotency.ts";
import type { Listeners } from "./listeners.ts";
import { namedIn } from "./named.ts";
import { openApiDocument } from "./openapi.ts";
import { type Origin, originBehind } from "./origin.ts";
import { requireRole, requireScope } from "./permission.ts";
import {
  type HttpRefusal,
  internalFault,
  loggable,
  methodNotAllowed,
  problemResponse,
  refusalOf,
  routeUnknown,
} from "./problems.ts";
import { pathOf, pathStart } from "./request-path.ts";
import { RouteTable, requireSameRoutes } from "./route-table.ts";
import { secured } from "./security-headers.ts";

/** What the server is made with. */
export interface ServerOptions {
  readonly log: Logger;
  readonly maxBodyBytes: number;
  readonly listeners: Listeners;
  /** Decides what is worked on; without one everything is. */
  readonly intake?: Intake;
  readonly idempotency: Idempotency;
  /** Called with a broken promise of ours, which must end the process. */
  readonly onFatal: (fault: unknown) => void;
  /** Called with every refusal. */
  readonly onRefused?: TellRefused;
  /** Called with every caller that is let in. */
  readonly onSeen?: TellSeen;
}

/** One request while it is answered. */
interface Visit {
  readonly origin: Origin;
  readonly row: RouteAccess;
  readonly caller: Caller | undefined;
}

/** What is known of a request that may be refused before it is let in. */
interface Attempt {
  readonly origin: Origin;
  row?: RouteAccess;
  caller?: Caller;
}

/** What the permission table has for a request. */
interface Found {
  readonly path: string;
  readonly rows: ReadonlyMap<string, RouteAccess> | undefined;
  readonly row: RouteAccess | undefined;
}

/** Elysia looks for the path behind this many characters of the URL, so a shorter host misleads it. */
const PATH_FROM = 11;

/** The Http port over Elysia: each request passes the permission table before Elysia sees it. */
export class HttpServer implements Http {
  readonly pageQuery = {
    limit: t.Optional(
      t.Integer({
        minimum: 1,
        maximum: PAGE_LIMIT_MAX,
        description: `How many items a page holds; ${PAGE_LIMIT} when unstated.`,
      }),
    ),
    cursor: t.Optional(
      t.String({ maxLength: 512, description: "next_cursor of the page before." }),
    ),
  };
  readonly onceHeaders = {
    "idempotency-key": t.Optional(
      t.String({ maxLength: 64, description: "Any text of your own; repeat it to retry." }),
    ),
  };

  readonly #options: ServerOptions;
  readonly #app: AnyElysia;
  readonly #gate: Gate;
  readonly #rows: RouteAccess[] = [];
  readonly #table = new RouteTable<RouteAccess>();
  readonly #visits = new WeakMap<Request, Visit>();
  readonly #attempts = new WeakMap<Request, Attempt>();
  readonly #idPrefix = crypto.randomUUID().slice(0, 8);
  #ids = 0;
  #isOpen = false;
  #authenticate: Authenticate | undefined;
  #guard: Guard | undefined;
  #document: string | undefined;

  constructor(options: ServerOptions) {
    this.#options = options;
    this.#gate = new Gate(options.intake);
    // The hooks come first: Elysia applies them only to routes that are added later.
    this.#app = new Elysia({ strictPath: true, normalize: false })
      .onError({ as: "global" }, ({ error, request }) => this.#refuse(error, request))
      .onTransform({ as: "global" }, ({ request, route, body }) => {
        this.#requireAgreed(request, route);
        requireObject(body);
      })
      .onBeforeHandle({ as: "global" }, ({ request, params, body }) => {
        this.#requireReach(request, params, body);
      });
    this.mount(
      docsRoutes(() => this.#openApi()),
      docsAccess,
    );
  }

  mount(routes: AnyElysia, access: readonly RouteAccess[]): void {
    assert(!this.#isOpen, "routes are mounted before the server listens");
    requireSameRoutes(routes, access);
    for (const row of access) this.#table.add(row.method, row.path, row);
    this.#rows.push(...access);
    this.#app.use(routes);
  }

  authenticateWith(authenticate: Authenticate): void {
    assert(this.#authenticate === undefined, "who calls is settled once");
    this.#authenticate = authenticate;
  }

  guardWith(guard: Guard): void {
    assert(this.#guard === undefined, "what is hidden from whom is settled once");
    this.#guard = guard;
  }

  callerOf(request: Request): Caller {
    const caller = this.#visitOf(request).caller;
    assert(caller, "a route that is open to anyone does not ask who calls");
    return caller;
  }

  isSecure(request: Request): boolean {
    return this.#visitOf(request).origin.isSecure;
  }

  addressOf(request: Request): string {
    return this.#visitOf(request).origin.addressOf(request);
  }

  keepOpen(request: Request): void {
    this.#visitOf(request).origin.keepOpen(request);
  }

  permissions(): readonly RouteAccess[] {
    return this.#rows;
  }

  urls(): { readonly plain: readonly string[]; readonly secure: readonly string[] } {
    return this.#options.listeners.urls();
  }

  identifyWith(identity: CertificatePair): Promise<void> {
    return this.#options.listeners.identifyWith(identity);
  }

  answerPage(page: Page<object>): Response {
    return pageResponse(page);
  }

  async once(
    request: Request,
    body: unknown,
    act: (remember: Remember) => Promise<Answer>,
  ): Promise<Response> {
    const caller = this.callerOf(request).id;
    const key = idempotencyKeyOf(request);
    if (key === undefined) return answerOf(await act(() => []));
    const hash = requestHash(request.method, pathOf(request.url), body);
    const keyed = { caller, key, requestHash: hash };
    const { replayed, ...answer } = await this.#options.idempotency.once(keyed, act);
    return answerOf(answer, replayed ? { "idempotency-replayed": "true" } : {});
  }

  /** Opens the doors; a permission table that lacks somebody to ask fails the start. */
  async open(): Promise<void> {
    const closed = this.#rows.find((row) => row.access !== "anyone");
    assert(this.#authenticate || !closed, "nobody settled who calls: authenticateWith is missing");
    this.#isOpen = true;
    this.#app.compile();
    await this.#options.listeners.open((request, origin) => this.answer(request, origin));
  }

  /** Answers one request, whatever it is. */
  async answer(request: Request, origin: Origin): Promise<Response> {
    if (pathStart(request.url) < PATH_FROM) return this.#answerShortHost(request, origin);
    if (request.method === "HEAD") return this.#answerHead(request, origin);
    let response: Response;
    let place: Place | undefined;
    this.#attempts.set(request, { origin });
    try {
      const found = this.#find(request);
      place = this.#gate.knock(request, origin, found.row);
      if (place.wait !== undefined) await place.wait;
      const visit = await this.#admit(request, origin, found);
      response = await this.#app.fetch(
        isUnsized(request) ? await this.#sized(request, visit) : request,
      );
      this.#logAnswer(request, response, visit.row);
    } catch (thrown) {
      response = this.#refuse(thrown, request);
    } finally {
      place?.leave();
    }
    return secured(response, origin.isSecure);
  }

  #find(request: Request): Found {
    const path = pathOf(request.url);
    const rows = this.#table.find(path);
    return { path, rows, row: rows?.get(request.method) };
  }

  /** Lets the caller of a row of the permission table through, or refuses. */
  async #admit(request: Request, origin: Origin, { path, rows, row }: Found): Promise<Visit> {
    if (!row) return this.#refuseUnlisted(request, path, rows);
    this.#noteAttempt(request, { row });
    const { ownPagesOnly = false } = row;
    guardCookie(request, { isSecure: origin.isSecure, ownPagesOnly });
    const isOpen =
      row.access === "anyone" ||
      (row.openOnLoopback === true && !origin.isSecure && isLoopback(origin.addressOf(request)));
    const caller = isOpen ? undefined : await this.#requireCaller(request, row);
    if (caller) this.#gate.recognise(caller, request, origin, row);
    if (request.method !== "GET") requireSmallJson(request, this.#options.maxBodyBytes);
    const visit = { origin, row, caller };
    this.#visits.set(request, visit);
    return visit;
  }

  #tellSeen(request: Request, { id }: Caller): void {
    const address = this.#attempts.get(request)?.origin.addressOf(request);
    if (address !== undefined) this.#options.onSeen?.({ caller: id, address });
  }

  #noteAttempt(request: Request, known: Partial<Attempt>): void {
    const attempt = this.#attempts.get(request);
    if (attempt) Object.assign(attempt, known);
  }

  async #requireCaller(request: Request, row: RouteAccess): Promise<Caller> {
    const caller = await this.#callerIn(request);
    if (!caller) throw unauthenticated();
    this.#noteAttempt(request, { caller });
    requireRole(caller, row);
    this.#tellSeen(request, caller);
    requireScope(caller, row);
    return caller;
  }

  /** After the request was found well formed, so that what is hidden and what is unknown read alike. */
  #requireReach(
    request: Request,
    params: Readonly<Record<string, unknown>> | undefined,
    body: unknown,
  ): void {
    const { caller, row } = this.#visitOf(request);
    if (!caller || !this.#guard) return;
    const named = namedIn(request.url, params, body);
    const reach = row.reach ?? (row.method === "GET" ? "sight" : "members");
    if (named.length > 0) this.#guard(caller, { named, reach });
  }

  async #callerIn(request: Request): Promise<Caller | undefined> {
    return this.#authenticate?.(request, this.#attempts.get(request)?.origin.isSecure ?? false);
  }

  /** A stranger learns nothing about the API, not even which addresses it has. */
  async #refuseUnlisted(
    request: Request,
    path: string,
    rows: ReadonlyMap<string, RouteAccess> | undefined,
  ): Promise<never> {
    const isPublic = rows && [...rows.values()].some((row) => row.access === "anyone");
    if (!isPublic && (path === "/api" || path.startsWith("/api/"))) {
      if (!(await this.#callerIn(request))) throw unauthenticated();
    }
    if (!rows) throw routeUnknown();
    throw methodNotAllowed([...(rows.has("GET") ? ["HEAD"] : []), ...rows.keys()].sort());
  }

  /** The route Elysia chose must be the one that was permitted, or nothing is done. */
  #requireAgreed(request: Request, route: string): void {
    if (this.#visitOf(request).row.path !== route) throw denied("use this address");
  }

  #visitOf(request: Request): Visit {
    const visit = this.#visits.get(request);
    assert(visit, "the request was let through by this server");
    return visit;
  }

  /** A chunked body does not say how large it is, so it is counted while it is read. */
  async #sized(request: Request, visit: Visit): Promise<Request> {
    const body = await readBounded(request, this.#options.maxBodyBytes);
    const { url, method, headers } = request;
    const sized = new Request(url, { method, headers, body });
    this.#visits.set(sized, { ...visit, origin: originBehind(visit.origin, request) });
    return sized;
  }

  /** A HEAD is a GET whose body stays here. */
  async #answerHead(request: Request, origin: Origin): Promise<Response> {
    const get = new Request(request.url, { method: "GET", headers: request.headers });
    const response = await this.answer(get, originBehind(origin, request));
    const { status, headers } = response;
    if (headers.get("content-type")?.startsWith("text/event-stream")) await response.body?.cancel();
    else headers.set("content-length", `${(await response.arrayBuffer()).byteLength}`);
    return new Response(null, { status, headers });
  }

  #answerShortHost(request: Request, origin: Origin): Promise<Response> {
    const rest = request.url.slice(pathStart(request.url));
    const restated = new Request(`http://localhost${rest}`, request);
    return this.answer(restated, originBehind(origin, request));
  }

  #refuse(thrown: unknown, request: Request): Response {
    const id = `${this.#idPrefix}-${++this.#ids}`;
    const refusal = refusalOf(thrown, request.url);
    this.#logRefusal({ id, request, thrown, refusal });
    if (refusal) this.#tellRefused(request, refusal.refusal);
    if (thrown instanceof AssertionError) this.#options.onFatal(thrown);
    return problemResponse(refusal ?? internalFault(), id);
  }

  /** The route as it was declared: what was written in the address may be a secret. */
  #tellRefused(request: Request, { kind, code }: PoolError): void {
    const tell = this.#options.onRefused;
    const attempt = this.#visits.get(request) ?? this.#attempts.get(request);
    if (!tell || !attempt) return;
    const { origin, row, caller } = attempt;
    tell({
      door: "http",
      kind,
      code,
      address: origin.addressOf(request),
      ...(caller && { caller: caller.id }),
      ...(row && { subject: `${row.method} ${row.path}` }),
    });
  }

  /** The route as it was declared; never what was sent: secrets may stand in any of it. */
  #logRefusal(refused: {
    readonly id: string;
    readonly request: Request;
    readonly thrown: unknown;
    readonly refusal: HttpRefusal | undefined;
  }): void {
    const { id, request, thrown, refusal } = refused;
    const path = (this.#visits.get(request) ?? this.#attempts.get(request))?.row?.path;
    const about = { request: id, method: request.method, path: path ?? "unlisted" };
    if (!refusal) {
      this.#options.log.error({ ...about, err: loggable(thrown) }, "a request met a fault of ours");
      return;
    }
    const { status } = refusal;
    this.#options.log.debug({ ...about, status, code: refusal.refusal.code }, "request refused");
  }

  #logAnswer(request: Request, response: Response, row: RouteAccess): void {
    const { log } = this.#options;
    if (!log.isLevelEnabled("trace")) return;
    log.trace({ method: request.method, route: row.path, status: response.status }, "answered");
  }

  #openApi(): string {
    this.#document ??= JSON.stringify(openApiDocument(this.#app, this.#rows, VERSION));
    return this.#document;
  }
}

function answerOf(answer: Answer, headers: Record<string, string> = {}): Response {
  return Response.json(answer.body ?? null, { status: answer.status, headers });
}
