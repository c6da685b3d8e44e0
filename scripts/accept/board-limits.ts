import {
  BACK_MS,
  type Board,
  type BoardNodes,
  CLOSE_MS,
  mebibytes,
  SLOT_SECONDS,
  slotNow,
} from "./board-stage.ts";
import { crowd } from "./crowd.ts";
import { untilBooked } from "./heard.ts";
import { patiently, untilSeen } from "./patience.ts";
import { demand } from "./report.ts";
import { untilHealthy } from "./scenes.ts";
import { type Usage, usageOf } from "./usage.ts";

const GROUP = "/sys/fs/cgroup/system.slice/galaxy-pool.service";
const DROP_IN = "/run/systemd/system/galaxy-pool.service.d/zz-tight.conf";
/** Too little for the executable to come up in. */
const TIGHT = "16M";
const CONNECTIONS = 300;
const CROWD_MS = 40_000;
const WATCHED_MS = 180_000;
/** What an idle pool may need on a board; the unit allows far more. */
const RESIDENT_MAX = 160 * 2 ** 20;

/** What the kernel of the board holds the pool to, and what the pool needs of it. */
export async function boardLimits(board: Board, nodes: BoardNodes): Promise<void> {
  const { part } = board;
  await part.step("the kernel's limits are the unit's", async (tell) =>
    tell(await limitsHold(board)),
  );
  await part.step("memory and bytes written, at rest", async (tell) => tell(await atRest(board)));
  await part.step("a crowd stays within MemoryMax", async (tell) => tell(await crowded(board)));
  await part.step("with too little memory only the pool is killed", async (tell) =>
    tell(await starved(board, nodes)),
  );
}

async function limitsHold({ machine, unit }: Board): Promise<string> {
  const [memoryMax, memoryHigh, tasksMax, files] = await Promise.all(
    ["MemoryMax", "MemoryHigh", "TasksMax", "LimitNOFILE"].map((name) => unit.property(name)),
  );
  const inUnit = await machine.read(
    "grep -hE '^(MemoryMax|MemoryHigh|TasksMax|LimitNOFILE)=' /etc/systemd/system/galaxy-pool.service",
  );
  const kernel = (name: string) => machine.read(`cat ${GROUP}/${name}`);
  demand((await kernel("memory.max")) === memoryMax, "memory.max as in the unit", memoryMax);
  demand((await kernel("memory.high")) === memoryHigh, "memory.high as in the unit", memoryHigh);
  demand((await kernel("pids.max")) === tasksMax, "pids.max as in the unit", tasksMax);
  const limits = await machine.read(`cat /proc/${await unit.pid()}/limits`);
  const open = /^Max open files +(\d+) +(\d+)/m.exec(limits);
  demand(open?.[1] === files && open?.[2] === files, "LimitNOFILE as in the unit", limits);
  const figures = [Number(memoryMax) / 2 ** 20, Number(memoryHigh) / 2 ** 20].map(
    (mib) => `${mib}M`,
  );
  for (const wanted of [
    `MemoryMax=${figures[0]}`,
    `MemoryHigh=${figures[1]}`,
    `TasksMax=${tasksMax}`,
    `LimitNOFILE=${files}`,
  ])
    demand(inUnit.includes(wanted), wanted, inUnit);
  return `memory.max ${memoryMax}, memory.high ${memoryHigh}, pids.max ${tasksMax}, ${files} files`;
}

/** Two nodes, slots of 10 s, intervals of 60 s: five times as many closes as a pool's usual clock has. */
async function atRest({ machine, unit }: Board): Promise<string> {
  const began = await usageOf(machine, await unit.pid());
  await patiently(`what is written in ${WATCHED_MS / 1000} s`, Bun.sleep(WATCHED_MS));
  const ended = await usageOf(machine, await unit.pid());
  demand(ended.pid === began.pid, "the same process", ended);
  demand(ended.residentBytes < RESIDENT_MAX, `RSS below ${mebibytes(RESIDENT_MAX)}`, ended);
  const hours = (ended.atMs - began.atMs) / 3_600_000;
  const hourly = (of: (usage: Usage) => number): string =>
    mebibytes((of(ended) - of(began)) / hours);
  return [
    `VmRSS ${mebibytes(ended.residentBytes)} (peak ${mebibytes(ended.residentPeakBytes)})`,
    `memory.current ${mebibytes(ended.groupBytes)}, ${ended.tasks} tasks`,
    `written by the pool ${hourly((usage) => usage.writtenBytes)} an hour`,
    `on the disk by the whole board ${hourly((usage) => usage.diskBytes)} an hour`,
    `with 2 nodes and a close a minute, measured ${Math.round(hours * 3600)} s`,
  ].join("; ");
}

async function crowded({ machine, unit, galaxy, httpsPort }: Board): Promise<string> {
  const pid = await unit.pid();
  const coming = crowd({ port: httpsPort, connections: CONNECTIONS, forMs: CROWD_MS });
  const figures = await patiently(`${CONNECTIONS} connections`, coming);
  const after = await usageOf(machine, pid);
  demand((await unit.pid()) === pid, "the same process", after);
  demand(after.oomKills === 0, "nobody killed", after);
  const [peak, max] = [after.groupPeakBytes, Number(await unit.property("MemoryMax"))];
  demand(peak < max, "memory.peak below memory.max", after);
  demand(figures.answers > CONNECTIONS, "answers", figures);
  await patiently("health", untilHealthy(galaxy, BACK_MS));
  const codes = Object.entries(figures.codes).map(([code, count]) => `${count} × ${code}`);
  return [
    `${CONNECTIONS} came at once, ${figures.opened} were let in, answers ${codes.join(", ")}`,
    `memory.peak ${mebibytes(peak)} of ${mebibytes(max)}`,
    `VmRSS ${mebibytes(after.residentBytes)} (peak ${mebibytes(after.residentPeakBytes)})`,
    "healthy",
  ].join("; ");
}

/** A drop-in as `systemctl edit --runtime` makes one; it reaches the service that runs. */
async function starved(board: Board, nodes: BoardNodes): Promise<string> {
  const { machine, unit, nodeUnit, galaxy, far } = board;
  const [nodePid, boot] = [await nodeUnit.pid(), await bootId(board)];
  const memoryMax = await unit.property("MemoryMax");
  await machine.exec(`mkdir -p "$(dirname ${DROP_IN})"`);
  await machine.write(`[Service]\nMemoryHigh=infinity\nMemoryMax=${TIGHT}\n`, DROP_IN);
  await machine.exec("systemctl daemon-reload");
  const killed = async (): Promise<readonly string[] | undefined> => {
    const kills = await killsOn(board);
    return kills.length >= 2 ? kills : undefined;
  };
  const kills = await untilSeen("the kernel to kill the pool twice", killed, BACK_MS);
  const others = kills.filter(
    (kill) => !kill.includes("oom_memcg=/system.slice/galaxy-pool.service"),
  );
  demand(others.length === 0, "only the pool to be killed", others);
  demand((await nodeUnit.pid()) === nodePid, "the node beside it to run on", nodePid);
  await machine.exec(`rm ${DROP_IN} && systemctl daemon-reload`);
  await patiently("health", untilHealthy(galaxy, BACK_MS));
  demand((await unit.property("MemoryMax")) === memoryMax, "the limit to be restored");
  demand((await bootId(board)) === boot, "the same boot", boot);
  const log = () => far.log();
  const booking = { log, slotSeconds: SLOT_SECONDS, slot: slotNow(), patienceMs: CLOSE_MS };
  const { credited } = await untilBooked(galaxy, nodes.far, booking);
  return `MemoryMax=${TIGHT}: ${kills.length} kills, all in galaxy-pool.service; node and board run on; restored: back by itself, all ${credited} slots heard are credited`;
}

/** What the kernel says of every process it killed for memory since the boot. */
async function killsOn({ machine }: Board): Promise<readonly string[]> {
  const lines = await machine.read("journalctl -b -k -o cat --no-pager | grep oom-kill: || true");
  return lines.split("\n").filter((line) => line !== "");
}

function bootId({ machine }: Board): Promise<string> {
  return machine.read("cat /proc/sys/kernel/random/boot_id");
}
