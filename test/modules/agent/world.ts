import { create } from "@bufbuild/protobuf";
import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { freePort } from "#test/support/free-port.ts";
import { until } from "#test/support/until.ts";
import { type Caller, unauthenticated } from "@/core/caller.ts";
import { type NodeId, nodeIdOf, type PoolId } from "@/core/ids.ts";
import { formatToken, parseToken } from "@/core/token.ts";
import { certificates, createCertificates } from "@/drivers/certificates.ts";
import { checks } from "@/drivers/checks.ts";
import { createDialer } from "@/drivers/dialer/module.ts";
import { files, openFiles } from "@/drivers/files.ts";
import { grpc } from "@/drivers/grpc/module.ts";
import { host } from "@/drivers/host.ts";
import { http } from "@/drivers/http/module.ts";
import { intake } from "@/drivers/intake/module.ts";
import { metrics } from "@/drivers/metrics.ts";
import { passwords } from "@/drivers/passwords.ts";
import { random, systemRandom } from "@/drivers/random.ts";
import { sqlite } from "@/drivers/sqlite/module.ts";
import { tokens } from "@/drivers/tokens.ts";
import { configKeys, configure } from "@/kernel/config.ts";
import { Kernel } from "@/kernel/kernel.ts";
import { type AnyModule, defineModule } from "@/kernel/module.ts";
import { firstToken } from "@/modules/access/first-token.ts";
import type { JoinTokenTerms } from "@/modules/access/join-tokens.ts";
import { access } from "@/modules/access/module.ts";
import { people } from "@/modules/access/people/module.ts";
import type { JoinTerms } from "@/modules/agent/joining.ts";
import { Keeping } from "@/modules/agent/keeping.ts";
import { Agent } from "@/modules/agent/service.ts";
import { auditLog } from "@/modules/audit/log-module.ts";
import { audit } from "@/modules/audit/module.ts";
import { initialisation } from "@/modules/certificates/initialisation.ts";
import { authority } from "@/modules/certificates/module.ts";
import { poot } from "@/modules/poot/module.ts";
import { registry } from "@/modules/registry/module.ts";
import type { Files } from "@/ports/files.ts";
import type { Call } from "@/ports/grpc.ts";
import { Registry as RegistryService, StandingSchema } from "@/proto/registry_pb.ts";

export const MINUTE_MS = 60_000;
export const HOUR_MS = 60 * MINUTE_MS;
export const DAY_MS = 24 * HOUR_MS;
export const SLOT_MS = 30_000;
/** So much time of the test passes between two looks. */
const STEP_MS = 1_000;

export const operator: Caller = {
  type: "operator",
  id: "operator:local",
  roles: ["admin", "operator"],
};

/** Money is no part of these tests: a standing says where a node belongs. */
const standing = defineModule({
  name: "standing",
  needs: ["grpc", "registry"],
  start({ grpc, registry }) {
    const getStanding = async (_: unknown, { caller }: Call) => {
      if (caller?.node === undefined) throw unauthenticated();
      const { id, pool, state } = registry.getNode(caller.node);
      return create(StandingSchema, { nodeId: id, poolId: pool, state });
    };
    const setPayoutAddress = () => {
      throw unauthenticated();
    };
    grpc.serve(RegistryService, "node", { getStanding, setPayoutAddress });
  },
});

function clockOf(clock: TestClock): AnyModule {
  return defineModule({ name: "clock", needs: [], provides: "clock", start: () => clock });
}

/** What a test changes of the usual pool. */
export interface AgentWorldTerms {
  readonly set?: Readonly<Record<string, unknown>>;
}

/** A pool that listens, and nodes that dial it; both sides have clocks of their own. */
export class AgentWorld implements AsyncDisposable {
  readonly poolClock: TestClock;
  readonly nodeClock: TestClock;
  readonly address: string;
  readonly #folder = temporaryFolder();
  readonly #set: ReadonlyMap<string, unknown>;
  readonly #nodes: TestAgent[] = [];
  #kernel: Kernel | undefined;

  private constructor(terms: AgentWorldTerms) {
    const startMs = Date.UTC(2026, 0, 5, 12);
    this.poolClock = new TestClock(startMs);
    this.nodeClock = new TestClock(startMs);
    this.address = `127.0.0.1:${freePort()}`;
    this.#set = new Map(
      Object.entries({
        "storage.data_dir": `${this.#folder.path}/pool`,
        "server.address": this.address,
        "http.port": 0,
        "http.secure_port": 0,
        ...terms.set,
      }),
    );
  }

  static async start(terms: AgentWorldTerms = {}): Promise<AgentWorld> {
    const world = new AgentWorld(terms);
    const made = { name: "home", kind: "main", done: () => {} };
    const init = await world.#run([...world.#ground(), initialisation(made), firstToken]);
    await init.stop();
    await world.open();
    return world;
  }

  /** Starts the pool on its folder. */
  async open(): Promise<void> {
    const drivers = [tokens, passwords, metrics, intake, checks, host, sqlite, http, grpc];
    const modules = [audit, authority, registry, people, access, poot, auditLog, standing];
    this.#kernel = await this.#run([...this.#ground(), ...drivers, ...modules]);
  }

  /** Stops the pool; its nodes are on their own. */
  async close(): Promise<void> {
    await this.#kernel?.stop();
    this.#kernel = undefined;
  }

  get access() {
    return this.#running.service("access");
  }

  get authority() {
    return this.#running.service("authority");
  }

  get registry() {
    return this.#running.service("registry");
  }

  get poot() {
    return this.#running.service("poot");
  }

  get files(): Files {
    return this.#running.service("files");
  }

  /** How a command line reaches this pool as its operator. */
  get reach(): readonly string[] {
    const [url = ""] = this.#running.service("http").urls().plain;
    const token = this.files.readText("operator.token")?.trim() ?? "";
    return ["--url", url, "--token", token];
  }

  get home(): PoolId {
    const [home] = this.registry.listPools();
    if (!home) throw new Error("init made a pool");
    return home.id;
  }

  async token(terms: Partial<JoinTokenTerms> = {}): Promise<string> {
    const { joinTokens } = this.access;
    return (await joinTokens.create(operator, { pool: this.home, ...terms })).text;
  }

  /** A token of this pool with a secret nobody gave out. */
  async forgedToken(): Promise<string> {
    return formatToken({ ...parseToken(await this.token()), secret: "a".repeat(26) });
  }

  /** A machine with a folder of its own. */
  machine(): TestAgent {
    const agent = new TestAgent(this, `${this.#folder.path}/node-${this.#nodes.length}`);
    this.#nodes.push(agent);
    return agent;
  }

  /** A machine that has joined. */
  async member(): Promise<TestAgent> {
    const machine = this.machine();
    await machine.join(await this.token());
    return machine;
  }

  /** Lets time pass on both sides until `look` sees it. */
  async turn(what: string, look: () => boolean): Promise<void> {
    await until(what, async () => {
      if (look()) return true;
      await this.pass(STEP_MS);
      return false;
    });
  }

  async pass(ms: number): Promise<void> {
    await Promise.all([this.poolClock.pass(ms), this.nodeClock.pass(ms)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const node of this.#nodes) node.agent.stop();
    for (const node of this.#nodes) await node.ended.catch(() => undefined);
    await this.close();
    this.#folder[Symbol.dispose]();
  }

  get #running(): Kernel {
    if (!this.#kernel) throw new Error("the pool does not run");
    return this.#kernel;
  }

  #ground(): readonly AnyModule[] {
    return [clockOf(this.poolClock), random, files, certificates];
  }

  #run(modules: readonly AnyModule[]): Promise<Kernel> {
    const keys = configKeys(modules);
    const known = new Set(keys.map(({ path }) => path));
    const values = new Map([...this.#set].filter(([path]) => known.has(path)));
    const configuration = configure(keys, [{ origin: () => "test", values }]);
    const onFatal = (fault: unknown) => {
      throw fault;
    };
    return Kernel.start(modules, { log: pino({ level: "silent" }), configuration, onFatal });
  }
}

/** The node's side: the real agent in a folder of its own. */
export class TestAgent {
  readonly files: Files;
  readonly keeping: Keeping;
  readonly lines: string[] = [];
  /** The serial numbers of the board this agent runs on. */
  marks: Partial<Record<"board" | "system", string>> = { board: "/board=1", system: "/system=1" };
  agent: Agent;
  /** How `run` ended, once it has. */
  ended: Promise<unknown> = Promise.resolve();
  readonly #world: AgentWorld;

  constructor(world: AgentWorld, folder: string) {
    this.#world = world;
    this.files = openFiles(folder);
    this.keeping = new Keeping(this.files);
    this.agent = this.another();
  }

  get id(): NodeId {
    return nodeIdOf(this.keeping.key().publicKey);
  }

  join(token: string, terms: Partial<JoinTerms> = {}) {
    return this.agent.join({
      addresses: [this.#world.address],
      token,
      name: "",
      hostName: "kitchen",
      specialization: "",
      endpoint: "",
      org: "",
      metadata: {},
      tell: () => {},
      ...terms,
    });
  }

  /** Begins to run, as a process of its own would. */
  run(): void {
    this.agent = this.another();
    this.ended = this.agent.run();
    this.ended.catch(() => {});
  }

  async stop(): Promise<unknown> {
    this.agent.stop();
    return this.ended;
  }

  /** What the log says, newest last. */
  said(sentence: string): boolean {
    return this.lines.some((line) => line.includes(sentence));
  }

  /** Waits until a heartbeat of this node is accepted from now on. */
  async beats(): Promise<void> {
    const before = this.#lastSeenMs;
    await this.#world.turn("a heartbeat", () => this.#lastSeenMs > before);
  }

  get #lastSeenMs(): number {
    return this.#world.registry.findNode(this.id)?.lastSeenMs ?? 0;
  }

  /** Another process on the same folder. */
  another(): Agent {
    const log = pino({ level: "debug" }, { write: (line: string) => void this.lines.push(line) });
    const certificates = createCertificates();
    const dialer = createDialer(certificates);
    const { keeping } = this;
    const clock = this.#world.nodeClock;
    const machine = { marks: () => this.marks };
    const parts = { keeping, clock, dialer, certificates, machine, random: systemRandom() };
    return new Agent(parts, log);
  }
}
