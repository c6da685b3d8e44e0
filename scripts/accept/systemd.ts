import { Machine } from "./machine.ts";
import type { World } from "./world.ts";

/** A Debian with a real systemd as PID 1, on this machine's processor. */
export async function systemdPart(world: World): Promise<void> {
  const part = world.part("systemd");
  let pool: Machine | undefined;
  await part.step("boot a Debian with systemd", async (tell) => {
    pool = await Machine.up(world.harness, "nspawn-boot.sh", "f-pool");
    tell(await pool.read("systemctl --version | head -1"));
  });
  if (!world.keep) await pool?.down();
}
