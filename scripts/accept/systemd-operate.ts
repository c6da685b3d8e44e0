import { until } from "../bench/processes.ts";
import { demand } from "./report.ts";
import { asked, untilHealthy } from "./scenes.ts";
import { noTickLost, slotNow } from "./slot-table.ts";
import type { Stage } from "./stage.ts";

const CONFIG = "/etc/galaxy-pool/config.yaml";
const READY = "http://127.0.0.1:8095/readyz";
/** WatchdogSec, TimeoutAbortSec, RestartSec and the start. */
const WATCHDOG_MS = 60_000;
/** Slots a node may miss while the pool hangs for so long. */
const HANGING_SLOTS = 12;
const PRIORITY = { error: 3, warning: 4, info: 6 } as const;

/** Everything a service goes through while it runs. */
export async function operateSteps(stage: Stage, node: string): Promise<void> {
  const { part } = stage;
  const steps: readonly [string, (stage: Stage, node: string) => Promise<string>][] = [
    ['the lines under "Operate" of README.md', readmeLines],
    ["restart: active only when ready", restarts],
    ["reload: a good configuration is taken", reloadsGood],
    ["reload: a broken configuration is refused", reloadsBroken],
    ["journald knows the priorities", priorities],
    ["kill -9: back, and no tick lost", killed],
    ["SIGSTOP: the watchdog restarts it", hangs],
    ["a bad configuration is not tried again and again", badConfiguration],
    ["reboot: everything is back by itself", reboots],
  ];
  for (const [name, act] of steps)
    await part.step(name, async (tell) => tell(await act(stage, node)));
}

async function readmeLines({ world, pool }: Stage): Promise<string> {
  const lines = world.readme.lines("Operate");
  for (const line of lines) await pool.exec(line);
  return `${lines.length} lines, each with code 0`;
}

async function restarts({ world, pool, unit }: Stage): Promise<string> {
  const pid = await unit.pid();
  const startMs = performance.now();
  const line = world.readme.line("Operate", ["systemctl restart"]);
  const code = await pool.read(`${line} && curl -s -o /dev/null -w '%{http_code}' ${READY}`);
  demand(code === "200", "/readyz to answer 200 as soon as systemctl returns", code);
  demand((await unit.pid()) !== pid, "a new process");
  return `drained, stopped, ready again in ${seconds(performance.now() - startMs)}; /readyz ${code}`;
}

async function reloadsGood({ world, pool, unit, galaxy }: Stage): Promise<string> {
  const pools = () => asked<{ items: { max_nodes?: number }[] }>(galaxy, "pool list");
  await pool.exec(
    `cp -p ${CONFIG} ${CONFIG}.kept; printf 'logging:\\n  level: DEBUG\\n' >>${CONFIG}`,
  );
  await unit.staysUp(async () => {
    await pool.exec(world.readme.line("Operate", ["systemctl reload"]));
    const look = async () => ((await debugLines(unit)) > 0 ? true : undefined);
    await until("lines of level DEBUG", look, { withinMs: 15_000 });
  });
  await pool.exec(`mv ${CONFIG}.kept ${CONFIG}; systemctl reload galaxy-pool`);
  await pools();
  return `same MainPID ${await unit.pid()}, DEBUG lines came and level is back`;
}

async function debugLines(unit: Stage["unit"]): Promise<number> {
  return (await unit.records()).filter(({ priority }) => priority === 7).length;
}

async function reloadsBroken({ pool, unit, galaxy }: Stage): Promise<string> {
  await pool.exec(`cp -p ${CONFIG} ${CONFIG}.kept; echo 'poot: { slot_second: 7 }' >>${CONFIG}`);
  let said = "";
  await unit.staysUp(async () => {
    const { code, stderr } = await pool.exec("systemctl reload galaxy-pool", {
      allowFailure: true,
    });
    said = stderr.trim();
    demand(code !== 0, "systemctl reload to fail", stderr);
    await untilHealthy(galaxy, 5_000);
  });
  await pool.exec(`mv ${CONFIG}.kept ${CONFIG}; systemctl reload galaxy-pool`);
  const journal = await unit.journal("warning");
  demand(journal.includes("slot_second"), "the journal to name the key", journal.slice(-500));
  return `refused (${said.split("\n")[0]}), the pool runs on as before`;
}

async function priorities({ unit }: Stage): Promise<string> {
  const records = await unit.records();
  const ours = records.filter(({ message }) => message.startsWith("{"));
  const wrong = ours.filter(({ priority, message }) => priority !== priorityOf(message));
  demand(
    ours.length > 0 && wrong.length === 0,
    "each line to have the priority of its level",
    wrong[0],
  );
  const kinds = [...new Set(ours.map(({ priority }) => priority))].toSorted();
  demand(kinds.length > 1, "lines of several priorities", kinds);
  return `${ours.length} lines of priorities ${kinds.join(", ")}`;
}

/** Pino's level as a journal's priority. */
function priorityOf(message: string): number {
  const { level } = JSON.parse(message) as { level: number };
  if (level >= 60) return 2;
  if (level >= 50) return PRIORITY.error;
  if (level >= 40) return PRIORITY.warning;
  return level >= 30 ? PRIORITY.info : 7;
}

async function killed({ pool, unit, galaxy }: Stage, node: string): Promise<string> {
  const [from, pid] = [slotNow(), await unit.pid()];
  await pool.exec(`kill -9 ${pid}`);
  const backMs = await unit.untilBack(pid);
  return `back in ${seconds(backMs)}; ${await noTickLost(galaxy, node, from)}`;
}

async function hangs({ pool, unit, galaxy }: Stage, node: string): Promise<string> {
  const [from, pid] = [slotNow(), await unit.pid()];
  await pool.exec(`kill -STOP ${pid}`);
  const backMs = await unit.untilBack(pid, WATCHDOG_MS);
  const journal = await unit.journal();
  demand(
    /[Ww]atchdog timeout/.test(journal),
    "the journal to name the watchdog",
    journal.slice(-500),
  );
  const table = await noTickLost(galaxy, node, from, { gaps: HANGING_SLOTS });
  return `stopped, killed and back in ${seconds(backMs)}; ${table}`;
}

async function badConfiguration({ pool, unit, galaxy }: Stage): Promise<string> {
  await pool.exec(`cp -p ${CONFIG} ${CONFIG}.kept; echo 'poot: { slot_second: 7 }' >>${CONFIG}`);
  const restartsBefore = await unit.restarts();
  await pool.exec("systemctl restart galaxy-pool", { allowFailure: true });
  await unit.untilState("failed", 20_000);
  await Bun.sleep(3_000);
  const status = await pool.exec("systemctl status galaxy-pool --no-pager", { allowFailure: true });
  demand((await unit.state()) === "failed", "the unit to stay failed", status.stdout);
  const again = (await unit.restarts()) - restartsBefore;
  demand(again <= 0, "no further try", again);
  demand(status.stdout.includes("slot_second"), "status to name the key", status.stdout);
  await pool.exec(`mv ${CONFIG}.kept ${CONFIG}; systemctl start galaxy-pool`);
  await untilHealthy(galaxy, 20_000);
  return `failed once, ${/status=\S+/.exec(status.stdout)?.[0]}, and says why; starts when mended`;
}

async function reboots({ pool, unit, galaxy }: Stage, node: string): Promise<string> {
  const from = slotNow();
  const startMs = performance.now();
  await pool.reboot();
  await unit.untilState("active");
  await untilHealthy(galaxy, 30_000);
  const back = seconds(performance.now() - startMs);
  return `healthy ${back} after "reboot"; ${await noTickLost(galaxy, node, from, { gaps: 3 })}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
