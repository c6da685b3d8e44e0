import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import {
  type Keys,
  makeKeys,
  makeRelease,
  putTool,
  sha256,
  standIn,
  systemctl,
} from "./release.ts";

/** What a script said and how it ended. */
export interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

interface Asked {
  readonly env?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  readonly path?: string;
  /** Default: the script of the release that is served. */
  readonly script?: string;
  /** Default: sh. */
  readonly shell?: readonly string[];
}

/** A sandboxed machine: a root folder, stand-ins for systemd, and a server with releases. */
export class World implements Disposable {
  readonly #folder = temporaryFolder();
  readonly #server: Bun.Server<undefined>;
  readonly path = this.#folder.path;
  readonly root = join(this.path, "root");
  readonly releases = join(this.path, "releases");
  readonly latest = join(this.releases, "latest/download");
  readonly keys: Keys = makeKeys(join(this.path, "keys"));
  /** Names that were fetched. */
  readonly fetched: string[] = [];
  /** Answers instead of the file. */
  answer: (name: string) => Response | undefined = () => undefined;

  constructor() {
    this.#server = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: ({ url }) => this.#serve(new URL(url).pathname),
    });
    putTool(join(this.path, "bin"), "systemctl", systemctl(this.path));
    putTool(join(this.path, "bin"), "journalctl", "#!/bin/sh\necho 'the last words'\n");
    putTool(join(this.path, "bin"), "ip", IP);
    writeFileSync(join(this.path, "status"), owing("0"));
  }

  get baseUrl(): string {
    return `http://127.0.0.1:${this.#server.port}`;
  }

  /** Makes a release with a stand-in, and serves it as the newest and by its version. */
  publish(version: string, change: (standIn: string) => string = (text) => text): void {
    const executable = change(standIn(this.path, version, version));
    for (const folder of [this.latest, this.folderOf(version)]) {
      makeRelease(folder, { version, executable, keys: this.keys, baseUrl: this.baseUrl });
    }
  }

  folderOf(version: string): string {
    return join(this.releases, "download", `v${version}`);
  }

  /** Runs install.sh of the newest release, piped, as root of the sandbox. */
  install(asked: Asked = {}): Promise<Ran> {
    const script = asked.script ?? readFileSync(join(this.latest, "install.sh"), "utf8");
    return this.run(
      [...(asked.shell ?? ["sh"]), "-s", "--", ...(asked.flags ?? [])],
      asked,
      script,
    );
  }

  /** Runs the uninstall script that was installed. */
  uninstall(
    flags: readonly string[],
    env: Readonly<Record<string, string>> = {},
    shell: readonly string[] = [],
  ): Promise<Ran> {
    return this.run([...shell, join(this.root, "usr/local/bin/galaxy-pool-uninstall"), ...flags], {
      env,
    });
  }

  /** A PATH with all tools an installer may use but some. */
  pathWithout(missing: readonly string[]): string {
    const folder = join(this.path, `tools-without-${missing.join("-")}`);
    if (existsSync(folder)) return `${this.path}/bin:${folder}`;
    mkdirSync(folder);
    for (const name of TOOLS) {
      if (!missing.includes(name)) symlinkSync(join("/usr/bin", name), join(folder, name));
    }
    return `${this.path}/bin:${folder}`;
  }

  async run(words: readonly string[], { env, path }: Asked, input = ""): Promise<Ran> {
    const child = Bun.spawn([...words], {
      stdin: new Blob([input]),
      stdout: "pipe",
      stderr: "pipe",
      cwd: this.path,
      env: {
        PATH: path ?? `${this.path}/bin:/usr/local/bin:/usr/bin:/bin`,
        HOME: this.path,
        INSTALL_GALAXY_ROOT: this.root,
        INSTALL_GALAXY_SKIP_START: "no",
        ...env,
      },
    });
    const [stdout, stderr] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    return { code: await child.exited, stdout, stderr };
  }

  /** A file of the sandbox. */
  read(path: string): string {
    return readFileSync(join(this.root, path), "utf8");
  }

  has(path: string): boolean {
    return existsSync(join(this.root, path));
  }

  write(name: string, text: string): void {
    writeFileSync(join(this.path, name), text);
  }

  /** The services asked of systemd since the last time. */
  services(): string[] {
    return this.#drain("systemctl");
  }

  /** The commands the executable was asked since the last time. */
  calls(): string[] {
    return this.#drain("calls");
  }

  /** Every file under the root with kind, mode and content: two are equal when nothing was changed. */
  snapshot(): string[] {
    return existsSync(this.root) ? walk(realpathSync(this.root)).sort() : [];
  }

  [Symbol.dispose](): void {
    this.#server.stop(true);
    this.#folder[Symbol.dispose]();
  }

  #drain(name: string): string[] {
    const path = join(this.path, name);
    const lines = existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [];
    writeFileSync(path, "");
    return lines.filter(Boolean);
  }

  #serve(name: string): Response {
    this.fetched.push(name.split("/").at(-1) ?? "");
    const answer = this.answer(name);
    if (answer) return answer;
    const path = join(this.releases, name);
    return existsSync(path) ? new Response(Bun.file(path)) : new Response("no", { status: 404 });
  }
}

/** What `status --json` says when so many millionths of a USDT are owed. */
export function owing(micro: string): string {
  const names = ["owed", "payable", "pending"];
  return `{\n${names.map((name) => `  "${name}_micro_usdt": "${micro}"`).join(",\n")}\n}\n`;
}

/** What a small Debian has. */
const TOOLS = (
  "sh awk cat chmod cp curl cut date df dirname env find flock getconf grep gzip head id ip ln minisign " +
  "mkdir mktemp mv readlink rm rmdir sed sha256sum sleep sort ssh-keygen stat sync tail touch tr uname " +
  "uniq wc wget"
).split(" ");

const IP = `#!/bin/sh
case "$*" in
  "-4 route get"*) echo "192.0.2.1 via 10.0.0.1 dev eth0 src 10.0.0.7 uid 0" ;;
  "-4 route show default") echo "default via 10.0.0.1" ;;
esac
`;

function walk(path: string): string[] {
  const stats = lstatSync(path);
  const mode = (stats.mode & 0o7777).toString(8);
  if (stats.isSymbolicLink()) return [`${path} -> ${readlinkSync(path)}`];
  if (!stats.isDirectory())
    return [`${path} ${mode} ${stats.mtimeMs} ${sha256(readFileSync(path))}`];
  const inner = readdirSync(path).flatMap((name) => walk(join(path, name)));
  return [`${path}/ ${mode}`, ...inner];
}
