import { describe, expect, test } from "bun:test";
import {
  composeService,
  dockerStages,
  imageEnvironment,
  imageInstructions,
  manifestsOf,
  podContainer,
  podSpec,
  readText,
  said,
} from "#test/support/container-files.ts";
import { refusalCode } from "#test/support/refusal-code.ts";
import { loadConfiguration } from "@/cli/configuration.ts";
import { Outcome } from "@/cli/options.ts";
import { buildProgram } from "@/cli/program.ts";
import { HEALTH_ACCESS } from "@/modules/health/routes.ts";
import { VERSION } from "@/std/version.ts";

/** Dockerfile, Compose file and manifest say the same, and say it in words the program understands. */

const IMAGE = "ghcr.io/castle-palette/galaxy-pool";
const EXECUTABLE = "/usr/local/bin/galaxy-pool";
const UID = 65532;
const defaults = loadConfiguration({}, { HOME: "/home/nobody" }).configuration;
const ports = [
  Number(defaults.value("http.port")),
  Number(defaults.value("http.secure_port")),
  Number(String(defaults.value("server.address")).split(":").at(-1)),
];

/** Where the program takes a variable for a key: that key. */
function keyOf(name: string, value: string): string | undefined {
  const { configuration } = loadConfiguration({}, { HOME: "/home/nobody", [name]: value });
  return configuration.keys.find(({ path }) => configuration.origin(path).endsWith(` ${name}`))
    ?.path;
}

/** What a Compose variable is when nobody sets it: `${NAME:-value}` means value, nothing means taken over. */
function unset(value: string | number | null): string | undefined {
  return value === null ? undefined : String(value).replace(/^\$\{\w+:-(.*)\}$/, "$1");
}

describe("the image", () => {
  test("is made of one executable, an empty data folder and licences", () => {
    const copied = imageInstructions().filter(({ name }) => name === "COPY" || name === "ADD");
    expect(copied.map(({ text }) => text.split(" ").at(-1))).toEqual([
      EXECUTABLE,
      "/",
      "/usr/share/doc/galaxy-pool/",
    ]);
    expect(imageInstructions().some(({ name }) => name === "RUN")).toBe(false);
    expect(said("FROM")).toBe("gcr.io/distroless/base-nossl-debian12:nonroot");
  });

  test("lets the platform that is asked for choose the processor", () => {
    const declared = dockerStages().flatMap((stage) => stage.filter(({ name }) => name === "ARG"));
    expect(declared.filter(({ text }) => text.startsWith("TARGETARCH"))).toEqual([
      { name: "ARG", text: "TARGETARCH" },
    ]);
  });

  test("copies only what .dockerignore lets through", () => {
    const allowed = readText(".dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const copied = dockerStages()
      .flat()
      .filter(({ name, text }) => name === "COPY" && !text.includes("--from="))
      .flatMap(({ text }) => text.split(" ").slice(0, -1))
      .map((path) => path.replace(/\[(.)\]/, "$1"));
    expect([...new Set(copied)].sort()).toEqual(allowed.sort());
  });

  test("needs the executable of its own processor only", () => {
    const taken = dockerStages()
      .flat()
      .filter(({ name, text }) => name === "COPY" && text.includes("dist/galaxy-pool-linux-"));
    expect(taken).toHaveLength(2);
    for (const { text } of taken) expect(text).toMatch(/^LICENSE dist\/\S+\[\d\] \/\w+\/$/);
  });

  test("is labelled with the version of the program", () => {
    expect(imageInstructions()).toContainEqual({ name: "ARG", text: `VERSION=${VERSION}` });
    expect(said("LABEL")).toContain('org.opencontainers.image.version="$VERSION"');
  });

  test("starts and examines itself without a shell, by commands there are", () => {
    const [, command = ""] = /CMD (\[.*\])$/.exec(said("HEALTHCHECK")) ?? [];
    const words = ["ENTRYPOINT", "CMD"].map((name) => JSON.parse(said(name)) as string[]);
    expect(words).toEqual([[EXECUTABLE], ["serve", "--init"]]);
    expect(JSON.parse(command)).toEqual([EXECUTABLE, "health"]);
    const program = buildProgram(new Outcome());
    const serve = program.commands.find((one) => one.name() === "serve");
    expect(program.commands.map((one) => one.name())).toContain("health");
    expect(serve?.options.map(({ long }) => long)).toContain("--init");
  });
});

describe("image, Compose file and manifest", () => {
  test("name the same image", () => {
    const names = [composeService().image, podContainer().image];
    expect(names.map((name) => name.replace(/:[^:/]+$/, ""))).toEqual([IMAGE, IMAGE]);
  });

  test("open the ports the program listens on", () => {
    const service = manifestsOf("Service").flatMap(({ spec }) => {
      const opened = (spec?.["ports"] ?? []) as readonly { port: number }[];
      return opened.map(({ port }) => port);
    });
    const policy = manifestsOf("NetworkPolicy")[0]?.spec?.["ingress"] as {
      ports: { port: number }[];
    }[];
    const everywhere = [
      said("EXPOSE").split(" ").map(Number),
      composeService().ports.map((port) => Number(port.split(":").at(-1))),
      podContainer().ports.map(({ containerPort }) => containerPort),
      service,
      policy.flatMap((rule) => rule.ports.map(({ port }) => port)),
    ];
    const sorted = [...ports].sort();
    expect(everywhere.map((list) => [...list].sort())).toEqual(everywhere.map(() => sorted));
  });

  test("keep plain HTTP from the network", () => {
    const plain = composeService().ports.filter((port) => port.endsWith(`:${ports[0]}`));
    expect(plain).toEqual([`127.0.0.1:${ports[0]}:${ports[0]}`]);
    const [outside] = manifestsOf("Service").filter(
      ({ spec }) => spec?.["type"] === "LoadBalancer",
    );
    expect(JSON.stringify(outside?.spec?.["ports"])).not.toContain(`${ports[0]}`);
  });

  test("keep the data where the program looks for it", () => {
    const { file, configuration } = loadConfiguration({}, Object.fromEntries(imageEnvironment()));
    const data = configuration.value("storage.data_dir");
    expect(data).toBe("/data");
    expect(file).toBe("/app/config.yaml");
    expect(said("VOLUME")).toBe(String(data));
    expect(composeService().volumes).toEqual([`data:${data}`]);
    const mounts = podContainer().volumeMounts.map(({ name, mountPath }) => [name, mountPath]);
    expect(mounts).toEqual([
      ["data", "/data"],
      ["config", "/app"],
    ]);
    expect(Object.keys(manifestsOf("ConfigMap")[0]?.data ?? {})).toEqual(["config.yaml"]);
  });

  test("run as the same user, who owns the data folder", () => {
    const { runAsUser, runAsGroup, fsGroup } = podSpec().securityContext;
    expect([said("USER"), composeService().user]).toEqual([`${UID}:${UID}`, `${UID}:${UID}`]);
    expect([runAsUser, runAsGroup, fsGroup]).toEqual([UID, UID, UID]);
    expect(imageInstructions().map(({ text }) => text)).toContain(
      `--from=volume --chown=${UID}:${UID} --chmod=0700 /volume/ /`,
    );
  });

  test("examine the pool by what it answers to anyone", () => {
    const { startupProbe, livenessProbe, readinessProbe, ports: named } = podContainer();
    const probes = [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet);
    expect(probes.map(({ path }) => path)).toEqual(["/livez", "/livez", "/readyz"]);
    for (const { path, port } of probes) {
      const row = { method: "GET", path, access: "anyone", class: "probe" } as const;
      expect(HEALTH_ACCESS).toContainEqual(row);
      expect(named.find(({ name }) => name === port)?.containerPort).toBe(ports[0]);
    }
    expect(composeService().healthcheck.test).toEqual(["CMD", EXECUTABLE, "health"]);
  });

  test("take every right away that the pool does not need", () => {
    const compose = composeService();
    expect(compose.read_only).toBe(true);
    expect(compose.cap_drop).toEqual(["ALL"]);
    expect(compose.security_opt).toEqual(["no-new-privileges:true"]);
    expect(compose.mem_limit).toBe("512m");
    expect(podSpec().automountServiceAccountToken).toBe(false);
    expect(podSpec().securityContext).toMatchObject({
      runAsNonRoot: true,
      seccompProfile: { type: "RuntimeDefault" },
    });
    expect(podContainer().securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(podContainer().resources.limits["memory"]).toBe("512Mi");
  });

  test("wait longer for a stop than the program takes at most", () => {
    const forcedAfterSeconds = 15;
    expect(Number.parseInt(composeService().stop_grace_period, 10)).toBeGreaterThan(
      forcedAfterSeconds,
    );
    expect(podSpec().terminationGracePeriodSeconds).toBeGreaterThan(forcedAfterSeconds);
  });
});

describe("the environment", () => {
  const compose = Object.entries(composeService().environment).map(
    ([name, value]) => ["Compose", name, unset(value)] as const,
  );
  const pod = podContainer().env.map(({ name, value }) => ["Kubernetes", name, value] as const);
  const entries = [...compose, ...pod].filter(([, name]) => name !== "ENV");
  const set = entries.flatMap(([where, name, value]) => (value ? [[where, name, value]] : []));
  const open = entries.filter(([, , value]) => value === undefined);

  test.each(set)("of %s: %s is a key of the program and says its default", (_, name, value) => {
    const key = keyOf(name, value) ?? "";
    expect(key).not.toBe("");
    const { configuration } = loadConfiguration({}, { HOME: "/home/nobody", [name]: value });
    expect(configuration.value(key)).toEqual(defaults.value(key));
  });

  test("leaves only the database open", () => {
    expect(open.map(([, name]) => name)).toEqual(["DATABASE_URL", "DATABASE_URL"]);
    expect(keyOf("DATABASE_URL", "postgres://db/pool")).toBe("database.url");
  });

  test("of the image is understood", () => {
    const { configuration } = loadConfiguration({}, Object.fromEntries(imageEnvironment()));
    expect(configuration.value("http.address")).toBe("0.0.0.0");
  });

  test("says that this is production, where the demo's clock is refused", () => {
    const demo = { ENV: "production", GALAXY_POOL_POOT_DEMO: "true" };
    const entry = podContainer().env.find(({ name }) => name === "ENV");
    expect([composeService().environment["ENV"], entry?.value]).toEqual([
      "production",
      "production",
    ]);
    expect(refusalCode(() => loadConfiguration({}, demo))).toStartWith("config.");
  });

  test("in a pod holds no links to services, which the program would refuse", () => {
    const links = { GALAXY_POOL_SERVICE_HOST: "10.0.0.1", GALAXY_POOL_PORT: "tcp://10.0.0.1:8443" };
    expect(refusalCode(() => loadConfiguration({}, links))).toBe("config.unknown_key");
    expect(podSpec().enableServiceLinks).toBe(false);
  });

  test("need not repeat what the manifest's configuration file says", () => {
    const file = Bun.YAML.parse(manifestsOf("ConfigMap")[0]?.data?.["config.yaml"] ?? "") as {
      registry: { max_nodes: number };
      payout: { threshold_usdt: string };
    };
    expect(file.registry.max_nodes).toBe(Number(defaults.value("registry.max_nodes")));
    expect(file.payout.threshold_usdt).toBe(String(defaults.value("payout.threshold_usdt")));
  });
});
