import { freePort } from "../bench/processes.ts";
import { Machine, spawned } from "./machine.ts";
import { RELEASE_PORT } from "./release.ts";
import type { Part } from "./report.ts";
import { type Galaxy, galaxyOn } from "./scenes.ts";
import { Snapshot } from "./snapshot.ts";
import { Unit } from "./unit.ts";
import type { World } from "./world.ts";

/** What a minimal Debian lacks; we are root there anyway. */
const SUDO = '#!/bin/sh\nexec env "$@"\n';
const GRPC_PORT = 50051;
export const POOL_DATA = "/var/lib/private/galaxy-pool";

/** Two machines under systemd: one becomes a pool, the other a node of it. */
export interface Stage {
  readonly part: Part;
  readonly world: World;
  readonly pool: Machine;
  readonly node: Machine;
  readonly unit: Unit;
  readonly nodeUnit: Unit;
  /** The command line on the pool's machine, and on the node's. */
  readonly galaxy: Galaxy;
  readonly nodeGalaxy: Galaxy;
  /** What was on the disks before anything of ours. */
  readonly before: Snapshot;
  readonly nodeBefore: Snapshot;
}

/** Boots both machines, each with the release at hand and the pool's gRPC port at the node's. */
export async function openStage(world: World, part: Part): Promise<Stage> {
  const [pool, node] = await Promise.all([
    prepared(world, "f-pool", "/usr/bin/ssh-keygen"),
    prepared(world, "f-node", "/usr/bin/minisign"),
  ]);
  const port = await freePort();
  await pool.forward(port, GRPC_PORT);
  await node.offer(GRPC_PORT, port);
  return {
    part,
    world,
    pool,
    node,
    unit: new Unit(pool, "galaxy-pool"),
    nodeUnit: new Unit(node, "galaxy-node"),
    galaxy: galaxyOn(pool),
    nodeGalaxy: galaxyOn(node),
    before: await Snapshot.take(pool),
    nodeBefore: await Snapshot.take(node),
  };
}

/** A machine with what signatures are verified with: one knows OpenSSH's, the other minisign's. */
async function prepared(world: World, name: string, verifier: string): Promise<Machine> {
  const machine = await Machine.up(world.harness, "nspawn-boot.sh", name);
  await machine.write(SUDO, "/usr/bin/sudo", "755");
  const { stdout } = await spawned(["ldd", verifier]);
  const sodium = /=> (\S+libsodium\S+)/.exec(stdout)?.[1];
  for (const file of sodium === undefined ? [verifier] : [verifier, sodium])
    await machine.push(file, file);
  await machine.offer(RELEASE_PORT, world.release.port);
  return machine;
}

export async function closeStage({ pool, node }: Stage): Promise<void> {
  await Promise.all([pool.down(), node.down()]);
}
