import { freePort } from "../bench/processes.ts";
import type { Contained } from "./container.ts";
import { Container, type Engine } from "./engine.ts";
import { FarNode } from "./far-node.ts";
import { spawned } from "./machine.ts";
import { untilSeen } from "./patience.ts";
import { demand, type Tell } from "./report.ts";
import {
  asked,
  creditedOf,
  DUE_SLOTS,
  earnedOf,
  FAST_CLOCK,
  MICRO_A_SLOT,
  pay,
  untilCredited,
} from "./scenes.ts";

const GRPC_PORT = 50051;
const STOP_MS = 5_000;
const PAID_AT = "IBAN DE02 1203 0000 0000 2020 51";
const ALONE = ["--read-only", "--cap-drop=all", "--security-opt=no-new-privileges"];

/** A pool in a container and a node on this host. */
interface Living {
  readonly contained: Contained;
  readonly pool: Container;
  readonly far: FarNode;
  readonly grpcPort: number;
  /** The id of the node, once it has joined. */
  node: string;
}

interface NodeRow {
  readonly node_id: string;
  readonly name: string;
  readonly state: string;
}

interface Batch {
  readonly batch_id: string;
  readonly total_micro_usdt: string;
}

/** The pool at work: a node joins, earns and is paid; the pool stops at once and comes back with all it knew. */
export async function livingSteps(contained: Contained): Promise<void> {
  const { part, architecture, engine, name, patienceMs, release } = contained;
  const pool = new Container(engine, name, patienceMs);
  const far = new FarNode(release);
  const living: Living = { contained, pool, far, grpcPort: await freePort(), node: "" };
  const joined = `${architecture}: a node joins`;
  const needs = { needs: joined };
  const step = (what: string, act: (living: Living, tell: Tell) => Promise<void>) =>
    part.step(`${architecture}: ${what}`, (tell) => act(living, tell), needs);
  try {
    await part.step(joined, (tell) => joins(living, tell));
    await step("the node earns", earns);
    await step("the node is paid", isPaid);
    await step("the image is a node too", imageAsNode);
    await step("SIGTERM with the node connected", stops);
    await step("all is kept for a new container", survives);
  } finally {
    await far.close();
    await pool.down();
  }
}

async function start({ contained, pool, grpcPort }: Living): Promise<number> {
  const clock = ["ENV=production", ...FAST_CLOCK].flatMap((variable) => ["-e", variable]);
  await pool.run(contained.tag, { arguments: ["-v", `${contained.volume}:/data`, ...clock] });
  const tookMs = await pool.untilHealthy();
  await pool.forward(grpcPort, GRPC_PORT);
  return tookMs;
}

async function joins(living: Living, tell: Tell): Promise<void> {
  const { pool, far, grpcPort, contained } = living;
  await start(living);
  const { token } = await asked<{ token: string }>(pool.galaxy, "token create --uses 1");
  living.node = await far.join(`127.0.0.1:${grpcPort}`, token, PAID_AT);
  far.run();
  await untilAlive(pool, "far", contained.patienceMs);
  tell(`node ${living.node} on this host, over TLS through a forwarded port`);
}

/** Waits until a node of this name is alive. */
function untilAlive(pool: Container, name: string, withinMs: number): Promise<NodeRow> {
  const look = async (): Promise<NodeRow | undefined> => {
    const { items } = await asked<{ items: NodeRow[] }>(pool.galaxy, "node list");
    return items.find((one) => one.name === name && one.state === "alive");
  };
  return untilSeen(`${name} is alive`, look, withinMs);
}

async function earns(living: Living, tell: Tell): Promise<void> {
  const { pool, node, contained } = living;
  const slots = await untilCredited(pool.galaxy, node, DUE_SLOTS + 1, contained.patienceMs);
  await expectNoneDown(living);
  tell(`${slots} slots credited, none DOWN`);
}

async function expectNoneDown({ pool, node, far }: Living): Promise<void> {
  const shown = await asked<{ today: { down: number } }>(pool.galaxy, `poot show ${node}`);
  demand(shown.today.down === 0, "no slot DOWN", `${JSON.stringify(shown.today)} ${far.log()}`);
}

/** An interval may close between plan and batch, so what was paid is compared with the batch itself. */
async function isPaid({ pool, node }: Living, tell: Tell): Promise<void> {
  const { batch, microUsdt } = await pay(pool.galaxy, node, "container-1");
  const { items } = await asked<{ items: Batch[] }>(pool.galaxy, "payout list");
  const total = BigInt(items.find(({ batch_id }) => batch_id === batch)?.total_micro_usdt ?? "0");
  demand(total >= microUsdt && total % MICRO_A_SLOT === 0n, "whole slots in the batch", `${total}`);
  const { paid, pending, owed } = await earnedOf(pool.galaxy, node);
  demand(paid === total && pending === 0n, "explain to say so", `${paid} ${pending}`);
  tell(`batch ${batch}: ${total} µUSDT settled; explain: paid ${paid}, owed ${owed}`);
}

/** A second container of the same image shares the pool's loopback and becomes its node. */
async function imageAsNode({ contained, pool }: Living, tell: Tell): Promise<void> {
  const { engine, tag, name, patienceMs } = contained;
  const node = new Container(engine, `${name}-node`, patienceMs);
  const volume = `${name}-node-data`;
  const { token } = await asked<{ token: string }>(pool.galaxy, "token create --uses 1");
  const given = ["run", "--pull=never", "--no-healthcheck", ...ALONE, ...(await limits())];
  const place = ["--network", `container:${name}`, "-v", `${volume}:/data`];
  const join = ["node", "join", `127.0.0.1:${GRPC_PORT}`, "--name", "contained"];
  try {
    const words = [...given, ...place, "--rm", "-e", `GALAXY_POOL_TOKEN=${token}`, tag, ...join];
    await engine.podman(words, { timeoutMs: patienceMs });
    await engine.podman([...given, ...place, "-d", "--name", node.name, tag, "node", "run"]);
    const { node_id } = await untilAlive(pool, "contained", patienceMs);
    const { code, tookMs } = await node.stop();
    demand(code === 0 && tookMs <= STOP_MS, "it to end in 5 s", `code ${code}, ${tookMs} ms`);
    tell(`${node_id} alive; SIGTERM: code 0 after ${tookMs.toFixed(0)} ms`);
  } finally {
    await remove(engine, node.name, volume);
  }
}

async function remove(engine: Engine, name: string, volume: string): Promise<void> {
  await engine.drive(["podman", "rm", "--force", "--ignore", name], { allowFailure: true });
  await engine.drive(["podman", "volume", "rm", "--force", volume], { allowFailure: true });
}

/** The limits of this shell, because raising them is nothing everybody may. */
async function limits(): Promise<readonly string[]> {
  const { stdout } = await spawned(["sh", "-c", "ulimit -Hn"]);
  return ["--ulimit", `nofile=${stdout.trim()}`, "--ulimit", "nproc=4096"];
}

async function stops({ pool, far }: Living, tell: Tell): Promise<void> {
  far.log();
  const { code, tookMs } = await pool.stop();
  demand(code === 0 && tookMs <= STOP_MS, "it to end in 5 s", `code ${code}, ${tookMs} ms`);
  tell(`code 0 after ${tookMs.toFixed(0)} ms, as process 1`);
}

/** What was paid, who belongs to it and whom the node trusts are all in the volume. */
async function survives(living: Living, tell: Tell): Promise<void> {
  const { pool, node, contained } = living;
  const tookMs = await start(living);
  const { paid } = await earnedOf(pool.galaxy, node);
  demand(paid > 0n, "what was paid to be known", `${paid}`);
  const before = await creditedOf(pool.galaxy, node);
  await untilAlive(pool, "far", contained.patienceMs);
  const after = await untilCredited(pool.galaxy, node, before + 2, contained.patienceMs);
  await expectNoneDown(living);
  tell(
    `up after ${(tookMs / 1000).toFixed(1)} s; paid ${paid} µUSDT still; the node came back: ${before}, now ${after} slots, none DOWN`,
  );
}
