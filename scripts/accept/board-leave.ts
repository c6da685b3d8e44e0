import {
  BACK_MS,
  type Board,
  type BoardNodes,
  CLOSE_MS,
  filesOf,
  SLOT_SECONDS,
  slotNow,
  typedOn,
} from "./board-stage.ts";
import { untilBooked } from "./heard.ts";
import { patiently } from "./patience.ts";
import { NEW, OLD } from "./release.ts";
import { demand } from "./report.ts";
import { asked, untilHealthy } from "./scenes.ts";

/** The same line again, with a newer release behind it; then nothing of ours is left. */
export async function leaveBoard(board: Board, nodes: BoardNodes): Promise<void> {
  const { part } = board;
  await part.step("upgrade by the same line", async (tell) => tell(await upgraded(board, nodes)));
  await part.step("uninstall --purge leaves nothing", async (tell) => tell(await purged(board)));
}

async function upgraded(board: Board, nodes: BoardNodes): Promise<string> {
  const { world, unit, nodeUnit, galaxy, far } = board;
  world.release.setLatest(NEW);
  const [pid, nodePid] = [await unit.pid(), await nodeUnit.pid()];
  const line = world.readme.line("Upgrade and leave", ["curl", "install.sh"]);
  await typedOn(board, "the installer upgrades", line);
  await patiently("health", untilHealthy(galaxy, BACK_MS));
  demand((await unit.pid()) !== pid, "another process of the pool", pid);
  demand((await nodeUnit.pid()) !== nodePid, "another process of the node", nodePid);
  const { version } = await asked<{ version: string }>(galaxy, "status");
  demand(version === NEW, `${NEW} to run`, version);
  const log = () => far.log();
  const booking = { log, slotSeconds: SLOT_SECONDS, slot: slotNow(), patienceMs: CLOSE_MS };
  const { credited } = await untilBooked(galaxy, nodes.far, booking);
  return `${OLD} → ${NEW}, pool and node; ${credited} slots heard, ${credited} credited`;
}

async function purged(board: Board): Promise<string> {
  const { world, machine, before } = board;
  const line = world.readme.line("Upgrade and leave", ["--purge"]);
  const said = await typedOn(board, "everything is removed", `${line} --yes --yes-i-lose`);
  const changed = before.differences(await filesOf(machine));
  demand(changed.length === 0, "the files there were before the install", changed.slice(0, 20));
  const running = await machine.read("pgrep -c galaxy || true");
  demand(running === "0", "no process of ours", running);
  const lost = said.split("\n").find((one) => /bytes|owed/.test(one)) ?? "";
  return `${before.size} lines of files, modes, owners and hashes as before; ${lost.trim()}`;
}
