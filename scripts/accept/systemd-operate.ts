import { demand } from "./report.ts";
import { asked, untilHealthy } from "./scenes.ts";
import { markOf, noTickLost } from "./slot-table.ts";
import type { Stage } from "./stage.ts";

const CONFIG = "/etc/galaxy-pool/config.yaml";
const READY = "http://127.0.0.1:8095/readyz";
const WRONG = "poot: { slot_second: 7 }";
/** Longer than RestartSec. */
const GIVEN_UP_MS = 3_000;
/** WatchdogSec, TimeoutAbortSec, RestartSec and the start. */
const WATCHDOG_MS = 60_000;
/** Slots a node may miss while the pool hangs for so long. */
const HANGING_SLOTS = 12;
const PRIORITY = { fatal: 2, error: 3, warning: 4, info: 6, debug: 7 } as const;

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

async function restarts({ world, pool, unit, galaxy }: Stage, node: string): Promise<string> {
  const [mark, pid] = [await markOf(galaxy, node), await unit.pid()];
  const startMs = performance.now();
  const line = world.readme.line("Operate", ["systemctl restart"]);
  const code = await pool.read(`${line} && curl -s -o /dev/null -w '%{http_code}' ${READY}`);
  const took = seconds(performance.now() - startMs);
  demand(code === "200", "/readyz to answer 200 as soon as systemctl returns", code);
  demand((await unit.pid()) !== pid, "a new process");
  return `ready again in ${took}; /readyz ${code}; ${await noTickLost(galaxy, node, mark)}`;
}

async function reloadsGood(stage: Stage): Promise<string> {
  const { world, pool, unit, galaxy } = stage;
  const limit = async () => {
    const { items } = await asked<{ items: { max_nodes: number }[] }>(galaxy, "pool list");
    return items[0]?.max_nodes;
  };
  const before = await limit();
  let after: number | undefined;
  await withConfigured(stage, "registry: { max_nodes: 7 }", async () => {
    await unit.staysUp(async () => {
      await pool.exec(world.readme.line("Operate", ["systemctl reload"]));
    });
    after = await limit();
    demand(after === 7, "the new limit", after);
  });
  await pool.exec("systemctl reload galaxy-pool");
  demand((await limit()) === before, "the former limit", await limit());
  return `same MainPID ${await unit.pid()}, registry.max_nodes ${before} → ${after} → ${before}`;
}

async function reloadsBroken(stage: Stage): Promise<string> {
  const { pool, unit, galaxy } = stage;
  await withConfigured(stage, WRONG, async () => {
    await unit.staysUp(async () => {
      const { code } = await pool.exec("systemctl reload galaxy-pool", { allowFailure: true });
      demand(code !== 0, "systemctl reload to fail", code);
      const answer = await pool.read(`curl -s -o /dev/null -w '%{http_code}' ${READY}`);
      demand(answer === "200", "/readyz to answer 200", answer);
    });
  });
  await pool.exec("systemctl reload galaxy-pool");
  await untilHealthy(galaxy, 5_000);
  const journal = await unit.journal("err");
  demand(journal.includes("slot_second"), "an error in the journal that names the key", journal);
  return "systemctl reload fails, the journal names the key, the pool serves as before";
}

/** Does something while more lines stand in the configuration file. */
async function withConfigured(
  { pool }: Stage,
  more: string,
  act: () => Promise<void>,
): Promise<void> {
  await pool.exec(`cp -p ${CONFIG} /tmp/config.kept; echo '${more}' >>${CONFIG}`);
  try {
    await act();
  } finally {
    await pool.exec(`cp -p /tmp/config.kept ${CONFIG}`);
  }
}

async function priorities({ unit }: Stage): Promise<string> {
  const records = (await unit.records()).filter(({ program }) => program === "galaxy-pool");
  const wrong = records.find(({ priority, message }) => priority !== priorityOf(message));
  demand(wrong === undefined, "each line to have the priority of its level", wrong);
  const kinds = [...new Set(records.map(({ priority }) => priority))].toSorted();
  demand(kinds.includes(PRIORITY.error) && kinds.includes(PRIORITY.info), "errors and news", kinds);
  return `${records.length} lines of priorities ${kinds.join(", ")}`;
}

/** What a line's level is for the journal; a refusal is told in words, and is an error. */
function priorityOf(message: string): number {
  if (!message.startsWith("{"))
    return /^galaxy-pool: |^ {2}code: /.test(message) ? PRIORITY.error : PRIORITY.info;
  const { level } = JSON.parse(message) as { level: number };
  if (level >= 60) return PRIORITY.fatal;
  if (level >= 50) return PRIORITY.error;
  if (level >= 40) return PRIORITY.warning;
  return level >= 30 ? PRIORITY.info : PRIORITY.debug;
}

async function killed({ pool, unit, galaxy }: Stage, node: string): Promise<string> {
  const [mark, pid] = [await markOf(galaxy, node), await unit.pid()];
  await pool.exec(`kill -9 ${pid}`);
  const backMs = await unit.untilBack(pid);
  return `back in ${seconds(backMs)}; ${await noTickLost(galaxy, node, mark)}`;
}

async function hangs({ pool, unit, galaxy }: Stage, node: string): Promise<string> {
  const [mark, pid] = [await markOf(galaxy, node), await unit.pid()];
  await pool.exec(`kill -STOP ${pid}`);
  const backMs = await unit.untilBack(pid, WATCHDOG_MS);
  const journal = await unit.journal();
  demand(
    /[Ww]atchdog timeout/.test(journal),
    "the journal to name the watchdog",
    journal.slice(-500),
  );
  const table = await noTickLost(galaxy, node, mark, { gaps: HANGING_SLOTS });
  return `stopped, killed and back in ${seconds(backMs)}; ${table}`;
}

async function badConfiguration(stage: Stage): Promise<string> {
  const { pool, unit, galaxy } = stage;
  let status = "";
  await withConfigured(stage, WRONG, async () => {
    await pool.exec("systemctl restart galaxy-pool", { allowFailure: true });
    await unit.untilState("failed", 20_000);
    await Bun.sleep(GIVEN_UP_MS);
    const [state, restarts] = [await unit.state(), await unit.restarts()];
    demand(state === "failed" && restarts === 0, "no further try", { state, restarts });
    const shown = await pool.exec("systemctl status galaxy-pool", { allowFailure: true });
    status = shown.stdout;
    demand(status.includes("slot_second"), "status to name the key", status);
  });
  await pool.exec("systemctl start galaxy-pool");
  await untilHealthy(galaxy, 20_000);
  return `failed once (${/status=\S+/.exec(status)?.[0]}), status names the key; starts when mended`;
}

async function reboots({ pool, unit, galaxy }: Stage, node: string): Promise<string> {
  const mark = await markOf(galaxy, node);
  const startMs = performance.now();
  await pool.reboot();
  await unit.untilState("active");
  await untilHealthy(galaxy, 30_000);
  const back = seconds(performance.now() - startMs);
  return `healthy ${back} after "reboot"; ${await noTickLost(galaxy, node, mark, { gaps: 3 })}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
