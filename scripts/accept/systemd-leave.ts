import { demand } from "./report.ts";
import { asked, earnedOf, untilHealthy } from "./scenes.ts";
import { Snapshot } from "./snapshot.ts";
import type { Stage } from "./stage.ts";
import { installLine, typed } from "./systemd-install.ts";

const UNINSTALL_MS = 60_000;

/** Going away: the data stays until it is said twice that it may go; then nothing is left. */
export async function leaveSteps(stage: Stage, node: string): Promise<void> {
  const { part, node: machine, nodeBefore } = stage;
  await part.step("uninstall keeps the data, and install finds it", async (tell) =>
    tell(await keepsData(stage, node)),
  );
  await part.step("uninstall --purge is refused while money is owed", async (tell) =>
    tell(await refusesPurge(stage, node)),
  );
  await part.step("uninstall --purge leaves the disk as it was", async (tell) => {
    const line = stage.world.readme.line("Upgrade and leave", ["--purge"]);
    const { stdout } = await stage.pool.exec(`${line} --yes --yes-i-lose`, {
      timeoutMs: UNINSTALL_MS,
    });
    tell(await asBefore(stage.pool, stage.before));
    tell(stdout.split("\n").find((said) => /bytes|owed/.test(said)) ?? "");
  });
  await part.step("the node's machine is as it was, too", async (tell) => {
    const line = stage.world.readme.line("Upgrade and leave", ["--purge"]);
    await machine.exec(`${line} --yes --yes-i-lose`, { timeoutMs: UNINSTALL_MS });
    tell(await asBefore(machine, nodeBefore));
  });
}

async function keepsData(stage: Stage, node: string): Promise<string> {
  const { world, pool, galaxy } = stage;
  const paid = (await earnedOf(galaxy, node)).paid;
  const line = world.readme.line("Upgrade and leave", ["galaxy-pool-uninstall"], ["--purge"]);
  await pool.exec(`${line} --yes`, { timeoutMs: UNINSTALL_MS });
  const gone = await pool.read("ls -d /usr/local/bin/galaxy* /etc/systemd/system/galaxy* || true");
  demand(gone === "", "no executable and no unit", gone);
  await typed(stage, installLine(stage));
  await untilHealthy(galaxy, 20_000);
  const again = await earnedOf(galaxy, node);
  demand(again.paid === paid, "what was paid to be known still", `${again.paid}`);
  const { items } = await asked<{ items: unknown[] }>(galaxy, "node list");
  demand(items.length === 1, "the node to be known still", items);
  return `after uninstall and install the node is known, paid ${paid} µUSDT`;
}

async function refusesPurge(stage: Stage, node: string): Promise<string> {
  const { world, pool, unit, galaxy } = stage;
  const { owed } = await earnedOf(galaxy, node);
  demand(owed > 0n, "money to be owed", `${owed}`);
  const line = world.readme.line("Upgrade and leave", ["--purge"]);
  let said = "";
  await unit.staysUp(async () => {
    const ran = await pool.exec(`${line} --yes`, { allowFailure: true, timeoutMs: UNINSTALL_MS });
    said = `${ran.stdout}${ran.stderr}`;
    demand(ran.code !== 0 && /owed/.test(said), "a refusal that names what is owed", said);
  });
  return said
    .split("\n")
    .filter((one) => /owed|bytes/.test(one))
    .join(" ");
}

async function asBefore(machine: Stage["pool"], before: Snapshot): Promise<string> {
  const changed = before.differences(await Snapshot.take(machine));
  demand(changed.length === 0, "the files there were before the install", changed.slice(0, 20));
  return `${before.size} lines of files, modes, owners and hashes: the same as before the install`;
}
