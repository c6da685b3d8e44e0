import { freePort } from "../bench/processes.ts";
import { FarNode } from "./far-node.ts";
import { Machine } from "./machine.ts";
import { patiently } from "./patience.ts";
import { OLD, RELEASE_PORT } from "./release.ts";
import type { Part } from "./report.ts";
import { type Galaxy, galaxyOn } from "./scenes.ts";
import { Snapshot } from "./snapshot.ts";
import { Unit } from "./unit.ts";
import type { World } from "./world.ts";

/** A minimal Debian lacks it; everything is root's there anyway. */
const SUDO = '#!/bin/sh\nexec env "$@"\n';
const GRPC_PORT = 50051;
const HTTPS_PORT = 8443;
/** As small as the smallest board the pool is meant for. */
const MACHINE = { VM_MEM: "1024", VM_SMP: "1" } as const;
const COMMAND_MS = 400_000;

export const POOL_DATA = "/var/lib/private/galaxy-pool";

/** Slots long enough that an emulated board answers in time; six of them are an interval. */
export const SLOT_SECONDS = 10;
export const INTERVAL_SLOTS = 6;
export const BOARD_CLOCK: readonly string[] = [
  `GALAXY_POOL_POOT_SLOT_SECONDS=${SLOT_SECONDS}`,
  `POOT_CALCULATION_INTERVAL=${SLOT_SECONDS * INTERVAL_SLOTS}`,
  "GALAXY_POOL_POOT_TARIFF_USDT_PER_HOUR=3.6",
  "PAYOUT_THRESHOLD_USDT=0.02",
];
/** Longer than an interval and its close. */
export const CLOSE_MS = 240_000;
/** Boot, start and whatever else an emulated board does before it answers. */
export const BACK_MS = 300_000;

/** An arm64 machine with a kernel of its own: a pool, a node beside it, and a node on this host. */
export interface Board {
  readonly part: Part;
  readonly world: World;
  readonly machine: Machine;
  /** The pool's service, and that of the node beside it. */
  readonly unit: Unit;
  readonly nodeUnit: Unit;
  readonly galaxy: Galaxy;
  /** What was on the disk before anything of ours. */
  readonly before: Snapshot;
  /** The node on this host, and where it and others here find the pool. */
  readonly far: FarNode;
  readonly grpcPort: number;
  readonly httpsPort: number;
}

/** The ids of the two nodes. */
export interface BoardNodes {
  readonly far: string;
  readonly near: string;
}

export async function openBoard(world: World, part: Part): Promise<Board> {
  world.release.setLatest(OLD);
  const booting = Machine.up(world.harness, "arm64-vm.sh", "g-board", { ...MACHINE });
  const machine = await patiently("the board boots", booting);
  await machine.write(SUDO, "/usr/bin/sudo", "755");
  await machine.offer(RELEASE_PORT, world.release.port);
  const [grpcPort, httpsPort] = [await freePort(), await freePort()];
  await machine.forward(grpcPort, GRPC_PORT);
  await machine.forward(httpsPort, HTTPS_PORT);
  return {
    part,
    world,
    machine,
    unit: new Unit(machine, "galaxy-pool"),
    nodeUnit: new Unit(machine, "galaxy-node"),
    galaxy: galaxyOn(machine, COMMAND_MS),
    before: await filesOf(machine),
    far: new FarNode(world.release),
    grpcPort,
    httpsPort,
  };
}

/** Folders that systemd makes anew at each boot are left out: here /tmp lies on the disk. */
export function filesOf(machine: Machine): Promise<Snapshot> {
  const taken = Snapshot.take(machine, { without: ["/tmp/systemd-private-*"] });
  return patiently("every file is hashed", taken);
}

export async function closeBoard({ far, machine, world }: Board): Promise<void> {
  await far.close();
  if (!world.keep) await machine.down();
}

/** Types a line on the board; it must succeed. */
export async function typedOn({ machine }: Board, what: string, line: string): Promise<string> {
  const { stdout, stderr } = await patiently(what, machine.exec(line, { timeoutMs: 900_000 }));
  return `${stdout}${stderr}`;
}

/** The record of the node beside the pool: its journal, of this boot or of all that the disk kept. */
export async function nearLog({ machine }: Board): Promise<string> {
  return machine.read("journalctl -b -u galaxy-node -o cat --no-pager", { timeoutMs: COMMAND_MS });
}

/** The slot of the pool's clock that this moment is in; the board has this host's clock. */
export function slotNow(): number {
  return Math.floor(Date.now() / 1000 / SLOT_SECONDS);
}

export function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`;
}
