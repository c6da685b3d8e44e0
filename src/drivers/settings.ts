import { defineModule } from "@/kernel/module.ts";

/** The `logging` section: the log is open before any module starts, so this only says what it understands. */
export const logging = defineModule({
  name: "logging",
  needs: [],
  config: (t) =>
    t.Object({
      level: t.Union(
        ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "trace", "debug", "info", "warn", "error"].map(
          (level) => t.Literal(level),
        ),
        { default: "INFO", live: true, description: "The least level that is logged." },
      ),
      format: t.Union([t.Literal("json"), t.Literal("text")], {
        default: "json",
        description: "JSON lines, or text for people.",
      }),
      file: t.String({
        default: "",
        description: "A file to log into; empty for standard output.",
      }),
    }),
  start() {},
});
