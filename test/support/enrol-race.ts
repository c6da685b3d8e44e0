import { enrolmentProof, parseToken, secretHash } from "@/core/token.ts";
import type { Database } from "@/ports/database.ts";
import type { Connection } from "@/ports/dialer.ts";
import { Enrolment } from "@/proto/enrolment_pb.ts";
import { isRefusal } from "@/std/errors.ts";
import { PoolProcess } from "./pool-process.ts";
import { postgresDatabase } from "./postgres.ts";
import { certificates, dialer } from "./raw-node.ts";
import { seededRandom } from "./seeded-random.ts";

/** How machines race for a token. */
export interface RaceTerms {
  readonly rounds: number;
  readonly machines: number;
  readonly seed: number;
  readonly database: Database["kind"];
}

/** What came of it. */
export interface RaceFigures {
  readonly rounds: number;
  /** Rounds in which the pool was killed while the machines asked. */
  readonly kills: number;
  /** Enrolments that were still unanswered when it was. */
  readonly cutOff: number;
  /** Everything that is not as it must be; empty when all is well. */
  readonly faults: readonly string[];
}

const CONNECTIONS = 10;
/** In half of the kills one of the first answers is the sign: then the place is being given away. */
const FIRST_ANSWERS = 5;
const PATIENCE_MS = 30_000;
/** Nine rounds in a row without a kill are rare, and then the address of all is blocked: a fault to see. */
const CONFIG = { access: { failures_max: 1_000 }, registry: { max_nodes: 10_000 } };

/**
 * So many machines with one token for one, all at once, round after round; in three of four rounds the
 * pool is killed right after one of the answers, and who got no answer asks again. There must be one node, always.
 */
export async function raceForTokens(terms: RaceTerms): Promise<RaceFigures> {
  const url = terms.database === "postgres" ? await postgresDatabase() : undefined;
  const environment = url === undefined ? {} : { DATABASE_URL: url };
  await using pool = await PoolProcess.start({ config: CONFIG, keepsPorts: true, environment });
  const random = seededRandom(terms.seed);
  let figures: RaceFigures = { rounds: 0, kills: 0, cutOff: 0, faults: [] };
  for (let round = 0; round < terms.rounds; round++) {
    const isKilled = random() < 0.75;
    const among = random() < 0.5 ? FIRST_ANSWERS : terms.machines;
    const killAfter = isKilled ? 1 + Math.floor(random() * among) : undefined;
    const more = await raceOnce(pool, `${terms.seed}-${round}`, { ...terms, killAfter });
    figures = {
      rounds: figures.rounds + 1,
      kills: figures.kills + (killAfter === undefined ? 0 : 1),
      cutOff: figures.cutOff + more.cutOff,
      faults: [...figures.faults, ...more.faults.map((fault) => `round ${round}: ${fault}`)],
    };
  }
  return figures;
}

async function raceOnce(
  pool: PoolProcess,
  name: string,
  { machines, killAfter }: { readonly machines: number; readonly killAfter: number | undefined },
) {
  const pool_id = await pool.poolNamed(`race ${name}`);
  const { root_pem } = await pool.told("GET", "/api/v1/authority");
  const racers = await racersFor(await pool.token({ pool: pool_id }), machines);
  const lines = () => linesTo(pool, root_pem);
  const { promise: sign, resolve } = Promise.withResolvers<void>();
  let answered = 0;
  const race = ask(racers, await lines(), () => ++answered === killAfter && resolve());
  if (killAfter !== undefined) {
    await sign;
    await pool.kill();
    await pool.serve();
  }
  const first = await race;
  const cutOff = racers.filter((racer) => first.get(racer) === "unanswered");
  const endMs = performance.now() + PATIENCE_MS;
  let left = cutOff;
  const answers = new Map(first);
  while (left.length > 0 && performance.now() < endMs) {
    for (const [racer, answer] of await ask(left, await lines())) answers.set(racer, answer);
    left = left.filter((racer) => answers.get(racer) === "unanswered");
  }
  return { cutOff: cutOff.length, faults: await faultsIn(pool, pool_id, [...answers.values()]) };
}

async function faultsIn(pool: PoolProcess, id: string, answers: readonly string[]) {
  const { items } = await pool.told("GET", `/api/v1/nodes?pool=${id}&limit=500`);
  const admitted = answers.filter((answer) => answer.startsWith("node "));
  const others = answers.filter((answer) => !answer.startsWith("node "));
  const strange = others.filter((answer) => answer !== "enrolment.refused");
  const faults: string[] = [];
  if (items.length !== 1) faults.push(`${items.length} nodes`);
  if (admitted.length !== 1) faults.push(`${admitted.length} machines were admitted`);
  if (admitted[0] !== `node ${items[0]?.node_id}`) faults.push("another node than was admitted");
  if (strange.length > 0) faults.push(`answers ${[...new Set(strange)].join(", ")}`);
  return faults;
}

interface Racer {
  readonly csr: Uint8Array;
  readonly token: string;
}

function racersFor(token: string, count: number): Promise<readonly Racer[]> {
  const seeds = Array.from({ length: count }, () => crypto.getRandomValues(new Uint8Array(32)));
  return Promise.all(
    seeds.map(async (seed) => ({ token, csr: await certificates.createRequest(seed) })),
  );
}

async function linesTo(pool: PoolProcess, rootPem: string): Promise<readonly Connection[]> {
  const address = `127.0.0.1:${pool.grpcPort}`;
  const dial = () => dialer.connect(address, { rootPem });
  return Promise.all(Array.from({ length: CONNECTIONS }, dial));
}

async function ask(
  racers: readonly Racer[],
  lines: readonly Connection[],
  told: () => unknown = () => {},
) {
  const answers = await Promise.all(
    racers.map(async (racer, at) => {
      const line = lines[at % lines.length];
      if (!line) throw new Error("there are lines");
      const answer = await enrol(racer, line);
      told();
      return [racer, answer] as const;
    }),
  );
  for (const line of lines) line.close();
  return new Map(answers);
}

async function enrol({ csr, token: text }: Racer, line: Connection): Promise<string> {
  const token = parseToken(text);
  const { id: tokenId, pool } = token;
  const nonce = crypto.getRandomValues(new Uint8Array(32));
  const said = { tokenId, csr, nonce, nodeName: "racer", specialization: "general" };
  const claim = { ...said, leafHash: line.leafHash, pool };
  const proof = enrolmentProof(secretHash(token.secret), claim);
  try {
    const request = { ...said, proof, poolId: pool };
    return `node ${(await line.call(Enrolment.method.enroll, request)).nodeId}`;
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return error.kind === "unavailable" || error.kind === "deadline" ? "unanswered" : error.code;
  }
}
