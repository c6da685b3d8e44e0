import { craftRelease } from "./crafted.ts";
import { withOptions } from "./readme.ts";
import { NEW, OLD } from "./release.ts";
import { demand } from "./report.ts";
import { asked, untilHealthy } from "./scenes.ts";
import { markOf, noTickLost } from "./slot-table.ts";
import { Snapshot } from "./snapshot.ts";
import { POOL_DATA, type Stage } from "./stage.ts";
import { installLine, refused, typed } from "./systemd-install.ts";
import { expectCutsHarmless, expectRefusals } from "./tampering.ts";

const REFUSING = "1.0.2";
const FALLING = "1.0.3";
/** Where the real program lies on the machine for the scripts that stand in for a broken one. */
const REAL = "/tmp/real-galaxy-pool";
/** A new version that does not accept the configuration, and one that ends as soon as it serves. */
const REFUSES_CONFIG = `case "$1 $2" in "config check") echo "config.unknown_key: not in this version" >&2; exit 1 ;; esac`;
const FALLS = `case "$1" in serve) exit 70 ;; esac`;

/** Newer versions, good and bad, over a pool that runs and a node that earns. */
export async function upgradeSteps(stage: Stage, node: string): Promise<void> {
  const { part, world, pool } = stage;
  const trial = () => ({
    release: world.release,
    machine: pool,
    line: installLine(stage, ["LOG_LEVEL=DEBUG"]),
    without: [POOL_DATA],
    isFirst: false,
  });
  await part.step("an upgrade that is tampered with is refused", async (tell) => {
    world.release.setLatest(NEW);
    await stage.unit.staysUp(async () => tell(await expectRefusals(trial())));
    await stage.unit.staysUp(async () => tell(await expectCutsHarmless(trial(), NEW)));
  });
  await part.step("upgrade: one restart, no tick lost", async (tell) =>
    tell(await upgrades(stage, node)),
  );
  await part.step("the node upgrades by the same line", async (tell) =>
    tell(await nodeUpgrades(stage, node)),
  );
  await part.step("a version that refuses the configuration", async (tell) =>
    tell(await refusesConfig(stage)),
  );
  await part.step("a version that does not come up", async (tell) =>
    tell(await falls(stage, node)),
  );
  await part.step("a downgrade is refused without its flag", async (tell) =>
    tell(await downgrades(stage)),
  );
  await part.step("GALAXY_POOL_VERSION pins", async (tell) => tell(await pins(stage)));
}

async function upgrades(stage: Stage, node: string): Promise<string> {
  const { world, unit, galaxy } = stage;
  world.release.setLatest(NEW);
  const mark = await markOf(galaxy, node);
  const [pid, begun] = [await unit.pid(), await starts(stage)];
  const line = world.readme.line("Upgrade and leave", ["curl", "install.sh"]);
  await typed(stage, line);
  demand((await unit.pid()) !== pid, "another process");
  const again = (await starts(stage)) - begun;
  demand(again === 1, "one start", again);
  await expectVersion(stage, NEW);
  return `${OLD} → ${NEW}, ${again} start; ${await noTickLost(galaxy, node, mark)}`;
}

async function nodeUpgrades(stage: Stage, node: string): Promise<string> {
  const { world, node: machine, nodeUnit, galaxy, nodeGalaxy } = stage;
  const [mark, pid] = [await markOf(galaxy, node), await nodeUnit.pid()];
  const line = world.readme.line("Upgrade and leave", ["curl", "install.sh"]);
  await machine.keepOffers();
  const { stdout } = await machine.exec(line, { timeoutMs: 120_000 });
  const { version } = await asked<{ version: string }>(nodeGalaxy, "version");
  demand(version === NEW && (await nodeUnit.pid()) !== pid, `${NEW} to run`, version);
  const verified = /\([^)]*verified\)/.exec(stdout)?.[0];
  return `${OLD} → ${NEW} ${verified}; ${await noTickLost(galaxy, node, mark, { gaps: 1 })}`;
}

async function refusesConfig(stage: Stage): Promise<string> {
  await serveCrafted(stage, REFUSING, REFUSES_CONFIG);
  const said = await expectUnchanged(stage, () => refused(stage, installLine(stage)));
  demand(/refuses the configuration/.test(said), "the configuration to be named", said);
  await expectVersion(stage, NEW);
  return `${said}; same process, same files`;
}

async function falls(stage: Stage, node: string): Promise<string> {
  const { unit, galaxy, pool } = stage;
  await serveCrafted(stage, FALLING, FALLS);
  const mark = await markOf(galaxy, node);
  const before = await Snapshot.take(pool, { without: [POOL_DATA] });
  const said = await refused(stage, installLine(stage));
  demand(/does not come up/.test(said), "the new version to be tried", said);
  const changed = before.differences(await Snapshot.take(pool, { without: [POOL_DATA] }));
  demand(changed.length === 0, "the files of the old version", changed.slice(0, 10));
  await unit.untilState("active");
  await expectVersion(stage, NEW);
  return `${said}; ${NEW} is back; ${await noTickLost(galaxy, node, mark, { gaps: 12 })}`;
}

async function downgrades(stage: Stage): Promise<string> {
  const { world } = stage;
  world.release.setLatest(OLD);
  const said = await expectUnchanged(stage, () => refused(stage, installLine(stage)));
  demand(/older than/.test(said), "the downgrade to be named", said);
  await typed(stage, withOptions(installLine(stage), ["--allow-downgrade"]));
  await expectVersion(stage, OLD);
  return `${said}; with --allow-downgrade ${OLD} runs`;
}

async function pins(stage: Stage): Promise<string> {
  stage.world.release.setLatest(OLD);
  stage.world.release.restore();
  await typed(stage, installLine(stage, [`GALAXY_POOL_VERSION=${NEW}`]));
  await expectVersion(stage, NEW);
  const archives = stage.world.release.requests.filter((path) => path.endsWith(".gz"));
  return `latest is ${OLD}, fetched ${archives.join(" ")}, ${NEW} runs`;
}

/** How often the service was started since this boot. */
async function starts({ pool }: Stage): Promise<number> {
  const pattern = "^Started galaxy-pool.service";
  return Number(
    await pool.read(`journalctl -b -u galaxy-pool -o cat | grep -c '${pattern}' || true`),
  );
}

async function expectVersion({ galaxy }: Stage, version: string): Promise<void> {
  await untilHealthy(galaxy, 20_000);
  const status = await asked<{ version: string }>(galaxy, "status");
  demand(status.version === version, `${version} to run`, status.version);
}

async function expectUnchanged<T>({ pool, unit }: Stage, act: () => Promise<T>): Promise<T> {
  const pid = await unit.pid();
  const before = await Snapshot.take(pool, { without: [POOL_DATA] });
  const answer = await act();
  const changed = before.differences(await Snapshot.take(pool, { without: [POOL_DATA] }));
  demand(changed.length === 0, "nothing to change", changed.slice(0, 10));
  demand((await unit.pid()) === pid, "the same process", await unit.pid());
  return answer;
}

async function serveCrafted(
  { world, pool }: Stage,
  version: string,
  spoilt: string,
): Promise<void> {
  await pool.exec(`[ -e ${REAL} ] || cp -p /usr/local/bin/galaxy-pool ${REAL}`);
  const says = `case "$1" in version) echo '{ "version": "${version}" }'; exit 0 ;; esac`;
  const script = `#!/bin/sh\n${spoilt}\n${says}\nexec ${REAL} "$@"\n`;
  await craftRelease(world.release, version, script);
  world.release.setLatest(version);
}
