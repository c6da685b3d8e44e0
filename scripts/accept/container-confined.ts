import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Contained } from "./container.ts";
import { Container } from "./engine.ts";
import { spawned } from "./machine.ts";
import { untilSeen } from "./patience.ts";
import { demand, type Tell } from "./report.ts";

const UID = 65532;
const STRANGER = 1000;
const NO_CAPABILITY = "0000000000000000";
const CAPABILITIES = ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"];
const SMALL_DISK = "16m";
/** What an engine waits for the answer, as the image says. */
const HEALTH_MS = 20_000;
const CODE = { healthy: 0, refused: 1, unreachable: 3, unhealthy: 4 } as const;

/** The pool without rights: what it cannot do, how it says that it is well or not, what it refuses. */
export async function confinedSteps(contained: Contained): Promise<void> {
  const { part, architecture, engine, name, patienceMs } = contained;
  const container = new Container(engine, name, patienceMs);
  const started = `${architecture}: the seed's docker run line`;
  const needs = { needs: started };
  try {
    await part.step(started, (tell) => seedLine(contained, container, tell));
    await part.step(
      `${architecture}: uid 65532, no capability, read-only`,
      (tell) => rights(container, tell),
      needs,
    );
    await part.step(
      `${architecture}: unhealthy while it hangs`,
      (tell) => hanging(container, tell),
      needs,
    );
    await part.step(
      `${architecture}: unhealthy while its disk is full`,
      (tell) => fullDisk(contained, container, tell),
      needs,
    );
    await part.step(`${architecture}: refuses what it may not use`, (tell) =>
      refusals(contained, container, tell),
    );
  } finally {
    await container.down();
  }
}

/** The words of the seed: a mounted file, ENV=production, no volume, no command. */
async function seedLine(contained: Contained, container: Container, tell: Tell): Promise<void> {
  const file = join(contained.folder, "mainnet.yaml");
  writeFileSync(file, "registry: { max_nodes: 7 }\n");
  const given = ["-v", `${file}:/app/config.yaml`, "-e", "ENV=production"];
  await container.run(contained.tag, { arguments: given });
  const tookMs = await container.untilHealthy();
  const { code, stdout } = await container.health();
  demand(code === CODE.healthy, "the image's health check to pass", stdout);
  const shown = await container.galaxy("config show --origin");
  demand(/registry\.max_nodes\s+7\s+file \/app\/config\.yaml/.test(shown), "7 nodes", shown);
  tell(`healthy after ${(tookMs / 1000).toFixed(1)} s; max_nodes is the mounted file's`);
}

async function rights(container: Container, tell: Tell): Promise<void> {
  const ids = ["Uid", "Gid"];
  const status = await container.status([...ids, ...CAPABILITIES, "NoNewPrivs", "Seccomp"]);
  const four = Array(4).fill(UID).join("\t");
  for (const name of ids) demand(status.get(name) === four, `${name} ${UID}`, status.get(name));
  for (const name of CAPABILITIES)
    demand(status.get(name) === NO_CAPABILITY, `${name} to be empty`, status.get(name));
  demand(status.get("NoNewPrivs") === "1", "no way to new privileges", [...status]);
  tell(
    `Uid and Gid ${UID}, every capability set 0, NoNewPrivs 1, Seccomp ${status.get("Seccomp")}`,
  );
  const root = `/proc/${await container.pid()}`;
  const mount = readFileSync(`${root}/mountinfo`, "utf8").split("\n");
  const own = mount.find((line) => line.split(" ")[4] === "/");
  demand(own?.split(" ")[5]?.split(",")[0] === "ro", "a root mounted read-only", own);
  const written = codeOf(() => writeFileSync(`${root}/root/usr/local/bin/new`, ""));
  demand(written === "EROFS", "this host's root not to write into it", written);
  const words = ["init", "--config", "/usr/new/config.yaml", "--data", "/usr/new"];
  for (const user of [[], ["--user", "0"]]) {
    const { code, stderr } = await container.exec(words, { allowFailure: true }, user);
    demand(code === CODE.refused && stderr.includes("EROFS"), "a write inside refused", stderr);
  }
  tell(
    "root is mounted ro; writing tried from outside as root, inside as root and as itself: EROFS",
  );
}

function codeOf(act: () => void): string {
  try {
    act();
    return "allowed";
  } catch (error) {
    return (error as NodeJS.ErrnoException).code ?? String(error);
  }
}

async function hanging(container: Container, tell: Tell): Promise<void> {
  const pid = await container.pid();
  process.kill(pid, "SIGSTOP");
  const startMs = performance.now();
  const hung = await container.health().finally(() => process.kill(pid, "SIGCONT"));
  const tookMs = performance.now() - startMs;
  demand(hung.code === CODE.unreachable, "code 3 from the health check", hung);
  await container.untilHealthy();
  const verdict = tookMs <= HEALTH_MS ? "" : " (an engine counts a failure at 20 s)";
  tell(`SIGSTOP: code 3 after ${(tookMs / 1000).toFixed(1)} s${verdict}; SIGCONT: healthy again`);
}

/** A disk that fills up under the pool makes it unhealthy as soon as it has to write; room heals it. */
async function fullDisk(contained: Contained, container: Container, tell: Tell): Promise<void> {
  const disk = join(contained.folder, "small");
  mkdirSync(disk, { recursive: true });
  const options = `size=${SMALL_DISK},uid=${UID},gid=${UID},mode=0700`;
  await must(["mount", "-t", "tmpfs", "-o", options, "tmpfs", disk]);
  try {
    await container.run(contained.tag, { arguments: ["-v", `${disk}:/data`] });
    await container.untilHealthy();
    const filler = join(disk, "filler");
    await spawned(["dd", "if=/dev/zero", `of=${filler}`, "bs=64k"]);
    const refused = await container.exec(["token", "create"], { allowFailure: true });
    demand(refused.code !== 0, "a write to be refused", refused.stdout);
    const full = await container.health();
    const named = /database\s+NOT ok: (.*)/.exec(full.stdout)?.[1];
    demand(full.code === CODE.unhealthy && named !== undefined, "code 4, and why", full);
    await must(["rm", filler]);
    const healed = async () =>
      (await container.health()).code === CODE.healthy ? true : undefined;
    await untilSeen("healthy with room again", healed, contained.patienceMs);
    tell(`code 4, "${named}"; room made: healthy again`);
  } finally {
    await container.down();
    await must(["umount", disk]);
  }
}

async function refusals(contained: Contained, container: Container, tell: Tell): Promise<void> {
  const at = (name: string): string => join(contained.folder, name);
  writeFileSync(at("secret.yaml"), "");
  chmodSync(at("secret.yaml"), 0o600);
  writeFileSync(at("typo.yaml"), "registry: { max_node: 7 }\n");
  mkdirSync(at("foreign"), { recursive: true });
  chownSync(at("foreign"), STRANGER, STRANGER);
  const cases = [
    ["an unreadable file", `${at("secret.yaml")}:/app/config.yaml:ro`, `uid ${UID}`],
    ["a wrong key", `${at("typo.yaml")}:/app/config.yaml:ro`, 'Did you mean "registry.max_nodes"'],
    ["somebody else's data", `${at("foreign")}:/data`, `chown -R ${UID}`],
  ] as const;
  for (const [what, mounted, words] of cases) {
    await container.run(contained.tag, { arguments: ["-v", mounted] });
    const { code, said } = await container.ended();
    demand(code === CODE.refused && said.includes(words), `${what} refused: ${words}`, said);
  }
  tell(cases.map(([what, , words]) => `${what}: "… ${words} …"`).join("; "));
}

async function must(command: readonly string[]): Promise<void> {
  const { code, stderr } = await spawned(command);
  demand(code === 0, `${command.join(" ")} to succeed`, stderr);
}
