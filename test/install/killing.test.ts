import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { putTool, systemctl } from "./release.ts";
import { World } from "./world.ts";

/** Each test installs many times, in shells that start hundreds of commands. */
setDefaultTimeout(120_000);

/** Ends everything in the session of the installer at the call whose number stands in `kill-at`. */
const KILL = `
left=$(cat "@/kill-at" 2>/dev/null || echo 0)
echo "$((left - 1))" >"@/kill-at"
[ "$left" != 1 ] || kill -KILL "-$(ps -o sid= -p $$ | tr -d ' ')"
`;

function deadly(world: World): World {
  const kill = KILL.replaceAll("@", world.path);
  const also = (text: string) => text.replace("\n", () => `\n${kill}`);
  world.publish("1.0.0", also);
  putTool(join(world.path, "bin"), "systemctl", also(systemctl(world.path)));
  return world;
}

/** Installs in a session of its own, and kills it at that call; whether it came so far. */
async function killed(world: World, call: number, env: Readonly<Record<string, string>>) {
  world.write("kill-at", `${call}\n`);
  const { code } = await world.install({ shell: ["setsid", "sh"], env });
  world.write("kill-at", "0\n");
  return code !== 0;
}

test("a first installation that was killed anywhere is brought to its end by the next", async () => {
  using whole = deadly(new World());
  await whole.install();
  const wanted = namesOf(whole);
  for (let call = 1; ; call += 1) {
    using world = deadly(new World());
    if (!(await killed(world, call, {}))) {
      expect(call).toBeGreaterThan(10);
      break;
    }
    const { code, stderr } = await world.install();
    expect([call, stderr, code]).toEqual([call, "", 0]);
    expect([call, ...namesOf(world)]).toEqual([call, ...wanted]);
    expect(world.services()).toContain("--quiet enable galaxy-pool");
    expect(readFileSync(join(world.path, "active-galaxy-pool"), "utf8")).toBe("active\n");
    await world.uninstall(["--purge", "--yes"]);
    expect([call, ...namesOf(world)]).toEqual([call]);
  }
});

test("a change that was killed anywhere reaches the service with the next", async () => {
  using world = deadly(new World());
  await world.install();
  for (let call = 1; ; call += 2) {
    world.services();
    const change = { LOG_LEVEL: call % 4 === 1 ? "DEBUG" : "INFO", INSTALL_GALAXY_PROFILE: "wx" };
    if (!(await killed(world, call, change))) {
      expect(call).toBeGreaterThan(10);
      break;
    }
    expect((await world.install({ env: change })).code).toBe(0);
    expect([call, ...world.services()]).toContain("restart galaxy-pool");
    expect((await world.install({ env: change })).stdout).toContain("nothing has changed");
    expect(world.services()).toEqual([]);
    await world.install({ env: { INSTALL_GALAXY_PROFILE: "none" } });
  }
});

/** Names and modes of all files. */
function namesOf(world: World): string[] {
  return world
    .snapshot()
    .map((line) => line.slice(world.root.length).replace(/ [\d.]+ [0-9a-f]{64}$/, ""));
}
