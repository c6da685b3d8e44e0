import { describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "#test/support/folder.ts";
import { putTool } from "./release.ts";

const SCRIPTS = join(import.meta.dir, "../../scripts");
/** Set it to cut the whole script at each byte, which takes minutes, and not only at each line. */
const PATIENT = process.env["GALAXY_TEST_EVERY_CUT"] === "1";
const PATIENCE_MS = PATIENT ? 600_000 : 60_000;

/**
 * Runs every beginning of the text in `$1` after the words `$2`, cut at each byte, or (`$3` is "line")
 * before and after each line break, in one shell. For each it says how long it was and how it ended:
 * 2 is a syntax error, so nothing of it was run.
 */
const EVERY_CUT = `
nl='
'
text=$(cat "$1"; echo x)
text=\${text%x}
attempt() {
  status=0
  command eval "$2$text" 2>/dev/null </dev/null || status=$?
  echo "\${#text} $status"
}
while [ -n "$text" ]; do
  attempt "$@"
  if [ "$3" = byte ]; then text=\${text%?}; continue; fi
  case $text in
    *"$nl") text=\${text%?} ;;
    *"$nl"*) text=\${text%"$nl"*}$nl ;;
    *) text='' ;;
  esac
done
`;

interface Cuts {
  /** Lines of what was tried, and of whatever else was printed. */
  readonly lines: readonly string[];
  /** Whether a command ran or a file was made. */
  readonly traces: boolean;
}

/** Runs the beginnings in a folder in which any effect would be seen. */
function cut(text: string, lead: string, step: "byte" | "line"): Cuts {
  using folder = temporaryFolder();
  const { path } = folder;
  const [file, here, tools] = ["text", "here", "tools"].map((name) => join(path, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(file, text, "latin1");
  mkdirSync(here);
  for (const name of COMMANDS) putTool(tools, name, `#!/bin/sh\n: >>${here}/trace\n`);
  const ran = Bun.spawnSync(["/bin/dash", "-c", EVERY_CUT, "cut", file, lead, step], {
    cwd: here,
    env: { PATH: `${tools}:/bin`, LC_ALL: "C", INSTALL_GALAXY_ROOT: here, TMPDIR: here },
  });
  const lines = ran.stdout.toString().trim().split("\n");
  return { lines, traces: readdirSync(here).length > 0 || ran.exitCode !== 0 };
}

/** The commands that would be the first to run. */
const COMMANDS = ["env", "id", "uname", "mktemp", "mkdir", "curl", "systemctl", "rm", "grep"];

describe.each(["install.sh", "uninstall.sh"])("%s, cut short", (name) => {
  const script = readFileSync(join(SCRIPTS, name), "latin1");
  const open = script.indexOf("\n{") + 1;
  const body = script.slice(open + 2, script.lastIndexOf("}"));
  /** Its functions, each with what stands before it. */
  const parts = body.split(/(?<=\n}\n)/);

  test("is one group of commands, and a comment above", () => {
    expect(script.slice(0, open)).toMatch(/^(#.*\n)+$/);
    expect(script.slice(script.lastIndexOf("}"))).toBe("}\n");
    expect(
      cut(script.slice(0, open), "", "byte").lines.filter((line) => !line.endsWith(" 0")),
    ).toEqual([]);
  });

  test(
    "runs nothing, at whichever line",
    () => {
      const step = PATIENT ? "byte" : "line";
      const { lines, traces } = cut(script.slice(0, -2), "", step);
      const readable = lines
        .filter((line) => !line.endsWith(" 2"))
        .map((line) => Number(line.split(" ")[0]));
      expect(traces).toBe(false);
      expect(Math.max(...readable)).toBeLessThanOrEqual(open);
      expect(lines.length).toBeGreaterThan(script.split("\n").length);
    },
    PATIENCE_MS,
  );

  /**
   * A function that ends leaves the shell where it was, inside the group: so what a cut does depends
   * on the function it lies in only, and each byte is tried without reading all that stands before.
   */
  test(
    "runs nothing, at whichever byte of whichever function",
    () => {
      for (const part of parts.slice(0, -1)) {
        expect(endOf(`{\n${part}\n}`)).toBe(0);
        expect(endOf(`{\n${part}\n)`)).toBe(2);
      }
      let tried = 0;
      for (const part of parts) {
        const { lines, traces } = cut(part, "{\n", "byte");
        expect(traces).toBe(false);
        expect(lines.filter((line) => !line.endsWith(" 2"))).toEqual([]);
        tried += lines.length;
      }
      expect(tried).toBe(body.length);
    },
    PATIENCE_MS,
  );

  test("would be seen if it ran", () => {
    const closed = `${script.slice(0, open)}${body}\n`;
    expect(cut(closed, "", "line").traces).toBe(true);
    expect(cut("id\n", "", "byte").traces).toBe(true);
    expect(cut("echo hello\n", "", "byte").lines).toContain("hello");
  });

  test("is a program of any POSIX shell", () => {
    for (const shell of ["dash", "sh", "bash"]) {
      if (!Bun.which(shell)) continue;
      expect(Bun.spawnSync([shell, "-n", join(SCRIPTS, name)]).stderr.toString()).toBe("");
    }
  });

  test.skipIf(!Bun.which("shellcheck"))(
    "has nothing shellcheck would say",
    () => {
      const checked = Bun.spawnSync(["shellcheck", "-s", "sh", join(SCRIPTS, name)]);
      expect(checked.stdout.toString()).toBe("");
    },
    PATIENCE_MS,
  );
});

/** How dash ends that reads a text without running it. */
function endOf(text: string): number {
  return Bun.spawnSync(["/bin/dash", "-n", "-c", text]).exitCode;
}

test("dash is here: it is what the tests cut with", () =>
  expect(existsSync("/bin/dash")).toBe(true));
