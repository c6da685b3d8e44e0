import { defineModule } from "@/kernel/module.ts";
import { VERSION } from "@/std/version.ts";

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

/** Where this pool stands, as `server.location` says: a fact for whoever reads the figures. */
export const location = defineModule({
  name: "location",
  needs: ["metrics"],
  section: "server",
  config: (t) =>
    t.Object({
      location: t.Object({
        region: t.String({
          default: "",
          maxLength: 64,
          description: "The region this pool is in.",
        }),
        datacenter: t.String({
          default: "",
          maxLength: 64,
          description: "The datacenter or room.",
        }),
        coordinates: t.String({
          default: "",
          maxLength: 64,
          description: "Latitude and longitude.",
        }),
      }),
    }),
  start({ metrics }, { config }) {
    const { region, datacenter, coordinates } = config.location;
    const labels = { version: VERSION, region, datacenter, coordinates };
    const names = Object.keys(labels);
    metrics.gauge("galaxy_pool_info", "What this pool is and where.", names, () => [
      { value: 1, labels },
    ]);
  },
});
