import type { Machine } from "./machine.ts";
import { demand } from "./report.ts";
import { asked, earnedOf, untilHealthy } from "./scenes.ts";
import { Snapshot } from "./snapshot.ts";
import type { Stage } from "./stage.ts";
import { installLine, typed } from "./systemd-install.ts";
import type { Unit } from "./unit.ts";

const UNINSTALL = { timeoutMs: 60_000 } as const;
const SECTION = "Upgrade and leave";

/** Going away: the data stays until it is said twice that it may go; then nothing is left. */
export async function leaveSteps(stage: Stage, node: string): Promise<void> {
  const { part } = stage;
  await part.step("uninstall keeps the data, and install finds it", async (tell) =>
    tell(await keepsData(stage, node)),
  );
  await part.step("the node: nothing goes while it is owed money", async (tell) =>
    tell(await refusesPurge(stage, stage.node, stage.nodeUnit)),
  );
  await part.step("the node: said twice, its disk is as before", async (tell) =>
    tell(await purges(stage, stage.node, stage.nodeBefore)),
  );
  await part.step("the pool: nothing goes while it owes money", async (tell) =>
    tell(await refusesPurge(stage, stage.pool, stage.unit)),
  );
  await part.step("the pool: said twice, its disk is as before", async (tell) =>
    tell(await purges(stage, stage.pool, stage.before)),
  );
}

async function keepsData(stage: Stage, node: string): Promise<string> {
  const { world, pool, galaxy } = stage;
  const { paid } = await earnedOf(galaxy, node);
  const line = world.readme.line(SECTION, ["galaxy-pool-uninstall"], ["--purge"]);
  await pool.answered(line, "y", UNINSTALL);
  const gone = await pool.read("ls -d /usr/local/bin/galaxy* /etc/systemd/system/galaxy* || true");
  demand(gone === "", "no executable and no unit", gone);
  await typed(stage, installLine(stage));
  await untilHealthy(galaxy, 20_000);
  const again = await earnedOf(galaxy, node);
  demand(again.paid === paid, "what was paid to be known still", `${again.paid}`);
  const { items } = await asked<{ items: unknown[] }>(galaxy, "node list");
  demand(items.length === 1, "the node to be known still", items);
  return `asked, answered y; then installed again: the node is known, paid ${paid} µUSDT`;
}

async function refusesPurge({ world }: Stage, machine: Machine, unit: Unit): Promise<string> {
  const line = world.readme.line(SECTION, ["--purge"]);
  let said = "";
  await unit.staysUp(async () => {
    const ran = await machine.answered(line, "y", { ...UNINSTALL, allowFailure: true });
    said = ran.stdout;
    demand(ran.code !== 0 && /USDT are owed/.test(said), "a refusal that names the money", said);
    demand(/[1-9]\d* bytes/.test(said), "the bytes to be named", said);
  });
  const [owed, bytes] = [/[\d.]+ USDT are owed/.exec(said)?.[0], /\d+ bytes/.exec(said)?.[0]];
  return `${bytes}, ${owed}: refused, the service runs on`;
}

async function purges({ world }: Stage, machine: Machine, before: Snapshot): Promise<string> {
  const line = `${world.readme.line(SECTION, ["--purge"])} --yes-i-lose`;
  await machine.answered(line, "y", UNINSTALL);
  const changed = before.differences(await Snapshot.take(machine));
  demand(changed.length === 0, "the files there were before the install", changed.slice(0, 20));
  return `${before.size} lines of files, modes, owners and hashes: the same as before the install`;
}
