import { NodeProcess } from "./node-process.ts";
import { PoolProcess } from "./pool-process.ts";
import { until } from "./until.ts";

/** How a root is rotated under live nodes. */
export interface RotatingTerms {
  readonly nodes: number;
  readonly rotations: number;
  /** Whether the pool is killed after every second rotation of the root. */
  readonly kills: boolean;
}

/** What came of it. */
export interface RotatingFigures {
  readonly rotations: number;
  /** Slots the nodes hold receipts for. */
  readonly slots: number;
  readonly faults: readonly string[];
}

/** Slots in which a killed pool is back before they end. */
const CONFIG = { poot: { demo: true, slot_seconds: 5, interval_seconds: 25 } };
const PATIENCE_MS = 60_000;

/**
 * Rotates the root and the operator's secrets again and again while nodes send their heartbeats, each
 * time until the last has followed; where kills are asked for, the pool is killed right after every
 * second rotation. No node may miss a slot or be DOWN.
 */
export async function rotateUnderLoad(terms: RotatingTerms): Promise<RotatingFigures> {
  await using pool = await PoolProcess.start({ config: CONFIG, keepsPorts: true });
  const token = await pool.token({ uses: terms.nodes });
  const names = Array.from({ length: terms.nodes }, (_, at) => `node-${at + 1}`);
  const nodes = await Promise.all(names.map((name) => NodeProcess.joined(pool, name, { token })));
  await using _nodes = {
    [Symbol.asyncDispose]: async () => {
      for (const node of nodes) await node.kill();
    },
  };
  for (const node of nodes) await node.run();
  for (const node of nodes) await node.proves(1);
  for (let turn = 0; turn < terms.rotations; turn++) {
    await replaceSecrets(pool, turn);
    await rotateOnce(pool, terms.kills && turn % 2 === 1);
  }
  for (const node of nodes) await node.proves(node.provenSlots() + 1);
  return {
    rotations: terms.rotations,
    slots: nodes.reduce((sum, node) => sum + node.provenSlots(), 0),
    faults: (await Promise.all(nodes.map((node) => faultsOf(node)))).flat(),
  };
}

/** By turns the operator's token, which is dead at once, and the key that signs access tokens. */
async function replaceSecrets(pool: PoolProcess, turn: number): Promise<void> {
  const old = pool.operatorToken;
  await pool.json("token", "rotate", ...(turn % 2 === 0 ? [] : ["--jwt"]));
  const authorization = `Bearer ${old}`;
  const { status } = await pool.ask("GET", "/api/v1/nodes", undefined, { authorization });
  if ((status === 401) !== (turn % 2 === 0)) throw new Error(`the token before is told ${status}`);
}

async function rotateOnce(pool: PoolProcess, isKilled: boolean): Promise<void> {
  await pool.told("POST", "/api/v1/authority/rotate", {});
  if (isKilled) {
    await pool.kill();
    await pool.serve();
  }
  const look = async () =>
    (await pool.told("GET", "/api/v1/authority/dependents")).items.length === 0;
  await until("every node to follow", look, PATIENCE_MS);
  await pool.told("POST", "/api/v1/authority/finish", {});
}

async function faultsOf(node: NodeProcess): Promise<readonly string[]> {
  const { state, slots_today } = await node.json("status");
  const faults: string[] = [];
  if (state !== "alive") faults.push(`${node.name} is ${state}`);
  if (slots_today.down > 0) faults.push(`${node.name} was DOWN in ${slots_today.down} slots`);
  return faults;
}
