import { boardBegins } from "./board-begins.ts";
import { leaveBoard } from "./board-leave.ts";
import { boardLimits } from "./board-limits.ts";
import { boardPower } from "./board-power.ts";
import { type Board, closeBoard, openBoard } from "./board-stage.ts";
import type { World } from "./world.ts";

/** An arm64 board, emulated, with its own kernel and cgroup v2: what an x86-64 container cannot show. */
export async function boardPart(world: World): Promise<void> {
  const part = world.part("board");
  let board: Board | undefined;
  await part.step("boot an arm64 Debian with its own kernel", async (tell) => {
    board = await openBoard(world, part);
    tell(await board.machine.read("uname -srm; systemctl --version | head -1"));
    tell(
      await board.machine.read("stat -fc %T /sys/fs/cgroup; nproc; grep MemTotal /proc/meminfo"),
    );
  });
  if (board === undefined) return;
  try {
    const nodes = await boardBegins(board);
    if (nodes === undefined) return;
    await boardLimits(board, nodes);
    await boardPower(board, nodes);
    await leaveBoard(board, nodes);
  } finally {
    await closeBoard(board);
  }
}
