import { withOptions } from "./readme.ts";
import { demand } from "./report.ts";
import { untilHealthy } from "./scenes.ts";
import { markOf, noTickLost } from "./slot-table.ts";
import type { Stage } from "./stage.ts";
import { installLine, typed } from "./systemd-install.ts";

/** The drop-ins a person may ask for. */
export async function profileSteps(stage: Stage, node: string): Promise<void> {
  const { part } = stage;
  await part.step("the LAN profile starts and serves", async (tell) =>
    tell(await profile(stage, node, "lan", { IPAddressDeny: "0.0.0.0/0 ::/0" })),
  );
  await part.step("the W^X profile starts and serves", async (tell) =>
    tell(await profile(stage, node, "wx", { Type: "exec", MemoryDenyWriteExecute: "yes" })),
  );
}

async function profile(
  stage: Stage,
  node: string,
  name: string,
  wanted: Readonly<Record<string, string>>,
): Promise<string> {
  const { pool, unit, galaxy } = stage;
  const mark = await markOf(galaxy, node);
  await typed(stage, withOptions(installLine(stage), ["--profile", name]));
  for (const [property, value] of Object.entries(wanted)) {
    const seen = (await unit.property(property)).split(" ").toSorted().join(" ");
    demand(seen === value, `${property}=${value}`, seen);
  }
  await untilHealthy(galaxy, 30_000);
  const table = await noTickLost(galaxy, node, mark, { gaps: 2 });
  await pool.exec("rm -r /etc/systemd/system/galaxy-pool.service.d && systemctl daemon-reload");
  await pool.exec("systemctl restart galaxy-pool");
  await untilHealthy(galaxy, 30_000);
  const shown = Object.entries(wanted).map((pair) => pair.join("="));
  return `${shown.join(" ")}, healthy; ${table}`;
}
