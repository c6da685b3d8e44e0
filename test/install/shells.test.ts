import { expect, setDefaultTimeout, test } from "bun:test";
import { World } from "./world.ts";

/** Each test installs several times, in shells that start hundreds of commands. */
setDefaultTimeout(60_000);

const SHELLS = ["dash", "bash --posix", "busybox ash", "mksh", "ksh", "yash", "zsh --emulate sh"];

/** What a stranger's environment may hold and a script must not stumble over. */
const UNFRIENDLY = {
  CDPATH: "/",
  ENV: "/dev/null/env",
  BASH_ENV: "/dev/null/env",
  POSIXLY_CORRECT: "1",
  IFS: "/. ",
  GZIP: "-1",
  LC_ALL: "C.UTF-8",
};

test.each(SHELLS.filter((words) => Bun.which(words.replace(/ .*/, ""))))(
  "%s installs, upgrades, refuses and uninstalls",
  async (words) => {
    using world = new World();
    world.publish("1.0.0");
    const shell = words.split(" ");
    const install = (env: Readonly<Record<string, string>>, ...flags: readonly string[]) =>
      world.install({ shell, flags, env: { ...UNFRIENDLY, ...env } });
    const first = await install({ DATABASE_URL: "postgres://u:\"\\$%#'`!@[::1]/x" });
    expect(first.stderr).toBe("");
    expect(first.code).toBe(0);
    expect(world.read("etc/galaxy-pool/galaxy-pool.env")).toContain(
      '\nDATABASE_URL="postgres://u:\\"\\\\\\$%#\'\\`!@[::1]/x"\n',
    );
    world.publish("1.1.0");
    expect((await install({})).stdout).toContain("before it was 1.0.0.");
    expect((await install({}, "--profile", "moon")).stderr).toContain("There is no profile");
    const node = await install({
      GALAXY_POOL_URL: "grpcs://[fd00::1]",
      GALAXY_POOL_TOKEN: "GP1.pool.pin.id.secret.crc",
      INSTALL_GALAXY_NODE_TRIES: "1",
    });
    expect(node.stdout).toContain("Joining the pool at [fd00::1]:50051.");
    const gone = await world.uninstall(["--purge", "--yes"], UNFRIENDLY, shell);
    expect(gone.stderr).toBe("");
    expect(world.snapshot()).toEqual([]);
  },
);
