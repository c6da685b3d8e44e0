import type { Command } from "commander";
import { BUILD_TIME_MS, VERSION } from "@/std/version.ts";
import { print } from "./output.ts";

/** `version`: what this executable is. */
export function versionCommand(program: Command): void {
  program
    .command("version")
    .description("print version, build and platform")
    .option("--json", "print JSON")
    .action((flags: { json?: boolean }) => {
      const built = BUILD_TIME_MS > 0 ? new Date(BUILD_TIME_MS).toISOString() : null;
      const platform = `${process.platform}-${process.arch}`;
      if (flags.json) {
        print.json({ version: VERSION, commit_time: built, platform, bun: Bun.version });
        return;
      }
      print.line(
        `galaxy-pool ${VERSION} (${platform}, Bun ${Bun.version}${built ? `, commit of ${built}` : ""})`,
      );
    });
}
