import { fromHex, toBase32 } from "@/std/bytes.ts";
import type { Ran } from "./machine.ts";
import { withEnvironment } from "./readme.ts";
import { OLD, RELEASE_URL } from "./release.ts";
import { demand } from "./report.ts";
import { asked, FAST_CLOCK, joinLineIn, untilHealthy } from "./scenes.ts";
import { POOL_DATA, type Stage } from "./stage.ts";

const INSTALL_MS = 120_000;
/** The users systemd invents lie here. */
const DYNAMIC_UID = { min: 61_184, max: 65_519 } as const;

/** The line under "Install" of README.md, with more words of environment. */
export function installLine({ world }: Stage, environment: readonly string[] = []): string {
  return withEnvironment(world.readme.line("Install", ["curl", "install.sh"]), environment);
}

/** Types a line on the pool's machine; it must succeed. */
export async function typed({ pool }: Stage, line: string): Promise<Ran> {
  await pool.keepOffers();
  return pool.exec(line, { timeoutMs: INSTALL_MS });
}

/** Types a line on the pool's machine that must be refused; answers what it said. */
export async function refused({ pool }: Stage, line: string): Promise<string> {
  await pool.keepOffers();
  const { code, stderr, stdout } = await pool.exec(line, {
    timeoutMs: INSTALL_MS,
    allowFailure: true,
  });
  demand(code !== 0, `"${line}" to be refused`, stdout);
  const reason = /^\[ERROR\].*$/m.exec(stderr)?.[0];
  demand(reason !== undefined, "a line with [ERROR]", stderr);
  return reason.slice(0, 160);
}

/** Installs a pool on a fresh machine; answers the line that makes another machine its node. */
export async function installSteps(stage: Stage): Promise<string> {
  const { part, pool, unit, galaxy, world } = stage;
  let printed = "";
  await part.step("install by README's line", async (tell) => {
    world.release.restore();
    const ran = await typed(stage, installLine(stage, FAST_CLOCK));
    printed = `${ran.stdout}${ran.stderr}`;
    tell(`sudo is a stand-in here (exec env "$@")`);
    tell(`${world.release.requests.length} files fetched from ${RELEASE_URL}`);
  });
  await part.step(
    "what the installer printed is so",
    async (tell) => tell(await expectPrinted(stage, printed)),
    { needs: "install by README's line" },
  );
  await part.step("active, healthy, enabled", async (tell) => {
    demand((await unit.state()) === "active", "the unit to be active", await unit.state());
    await untilHealthy(galaxy, 10_000);
    const enabled = await pool.read("systemctl is-enabled galaxy-pool");
    demand(enabled === "enabled", "the unit to be enabled", enabled);
    const { status, version } = await asked<Record<string, string>>(galaxy, "status");
    demand(status === "healthy" && version === OLD, `${OLD}, healthy`, { status, version });
    tell(`galaxy-pool ${version} ${status}, ${enabled}`);
  });
  await part.step("the sandbox and the modes", async (tell) => tell(await expectSandbox(stage)));
  await part.step("the same line again changes nothing", async (tell) => {
    world.release.restore();
    await unit.staysUp(async () => void (await typed(stage, installLine(stage))));
    const big = world.release.requests.filter((path) => path.endsWith(".gz"));
    demand(big.length === 0, "no executable to be fetched again", big);
    tell(`same MainPID ${await unit.pid()}, fetched ${world.release.requests.length} small files`);
  });
  return /GP1/.test(printed) ? joinLineIn(printed) : "";
}

async function expectPrinted({ pool }: Stage, printed: string): Promise<string> {
  const key = `openssl x509 -in ${POOL_DATA}/keys/root.pem -noout -pubkey`;
  const hash = await pool.read(`${key} | openssl pkey -pubin -outform DER | sha256sum`);
  const pin = toBase32(fromHex(hash.slice(0, 64)) ?? new Uint8Array());
  demand(printed.includes(pin), `the SHA-256 of the CA's key, ${pin}`, printed);
  const api = /https:\/\/\S+:8443/.exec(printed)?.[0];
  demand(api !== undefined, "the API's address", printed);
  const line = joinLineIn(printed);
  demand(line.includes(pin), "the join token to carry the pin", line);
  demand(/\b(nft|ufw)\b/.test(printed), "what a firewall needs", printed);
  return `CA ${pin.slice(0, 12)}… is the root's, ${api}, ${line.replace(/GP1\S+/, "GP1…")}`;
}

async function expectSandbox({ pool, unit }: Stage): Promise<string> {
  const pid = await unit.pid();
  const uid = Number(await pool.read(`stat -c %u /proc/${pid}`));
  demand(uid >= DYNAMIC_UID.min && uid <= DYNAMIC_UID.max, "a dynamic user", uid);
  const status = await pool.read(`cat /proc/${pid}/status`);
  for (const line of [
    "CapEff:\t0000000000000000",
    "CapBnd:\t0000000000000000",
    "NoNewPrivs:\t1",
    "Seccomp:\t2",
  ])
    demand(status.includes(line), line, status);
  const modes = {
    "/etc/galaxy-pool/galaxy-pool.env": "600 0",
    "/etc/galaxy-pool/config.yaml": "644 0",
    "/usr/local/bin/galaxy-pool": "755 0",
    "/etc/systemd/system/galaxy-pool.service": "644 0",
    [POOL_DATA]: `700 ${uid}`,
    [`${POOL_DATA}/operator.token`]: `600 ${uid}`,
  };
  const shown = await pool.read(`stat -c '%n %a %u' ${Object.keys(modes).join(" ")}`);
  const wanted = Object.entries(modes)
    .map(([path, mode]) => `${path} ${mode}`)
    .join("\n");
  demand(shown === wanted, wanted, shown);
  const wide = await pool.read(`find ${POOL_DATA} ! -uid ${uid} -o -perm /077 ! -type l`);
  demand(wide === "", "all data to be the service's alone", wide);
  return `uid ${uid}, no capability, seccomp on, data 0700, env file 0600`;
}
