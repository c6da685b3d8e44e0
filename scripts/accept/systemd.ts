import { OLD } from "./release.ts";
import { closeStage, openStage, type Stage } from "./stage.ts";
import { installLine, installSteps } from "./systemd-install.ts";
import { joinSteps } from "./systemd-join.ts";
import { leaveSteps } from "./systemd-leave.ts";
import { operateSteps } from "./systemd-operate.ts";
import { profileSteps } from "./systemd-profiles.ts";
import { upgradeSteps } from "./systemd-upgrade.ts";
import { expectCutsHarmless, expectRefusals } from "./tampering.ts";
import type { World } from "./world.ts";

/** A Debian with a real systemd as PID 1, on this machine's processor: a life from install to leave. */
export async function systemdPart(world: World): Promise<void> {
  const part = world.part("systemd");
  let stage: Stage | undefined;
  await part.step("boot two machines with systemd", async (tell) => {
    stage = await openStage(world, part);
    tell(await stage.pool.read("systemctl --version | head -1"));
    tell(`${stage.before.size} lines of files and hashes kept for the end`);
  });
  if (stage === undefined) return;
  try {
    await life(stage);
  } finally {
    if (!world.keep) await closeStage(stage);
  }
}

async function life(stage: Stage): Promise<void> {
  const { part, world, pool } = stage;
  world.release.setLatest(OLD);
  const trial = {
    release: world.release,
    machine: pool,
    line: installLine(stage),
    without: [],
    isFirst: true,
  };
  await part.step("an install that is tampered with is refused", async (tell) => {
    tell(await expectRefusals(trial));
    tell(await expectCutsHarmless(trial));
  });
  const joinLine = await installSteps(stage);
  const node = await joinSteps(stage, joinLine);
  if (node === "") return;
  await operateSteps(stage, node);
  await profileSteps(stage, node);
  await upgradeSteps(stage, node);
  await leaveSteps(stage, node);
}
