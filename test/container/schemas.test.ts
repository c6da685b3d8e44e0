import { describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { Ajv, type ValidateFunction } from "ajv";
import { StatefulSet } from "kubernetes-models/apps/v1/StatefulSet";
import { NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy";
import { ConfigMap } from "kubernetes-models/v1/ConfigMap";
import { Namespace } from "kubernetes-models/v1/Namespace";
import { Service } from "kubernetes-models/v1/Service";
import { ServiceAccount } from "kubernetes-models/v1/ServiceAccount";
import { composeFile, type Manifest, manifests, ROOT } from "#test/support/container-files.ts";
import { temporaryFolder } from "#test/support/folder.ts";

/** The files for containers, held to what Compose and Kubernetes publish about theirs. */

const KINDS = { ConfigMap, Namespace, NetworkPolicy, Service, ServiceAccount, StatefulSet };
const isCompose = composeValidator();

function composeValidator(): ValidateFunction {
  const folder = dirname(Bun.resolveSync("dclint/package.json", import.meta.dir));
  const schema = JSON.parse(readFileSync(join(folder, "schemas/compose.schema.json"), "utf8"));
  return new Ajv({ strict: false, allErrors: true }).compile({ ...schema, $schema: undefined });
}

describe("the Compose file", () => {
  test("is what the Compose specification calls valid", () => {
    isCompose(composeFile());
    expect(isCompose.errors ?? []).toEqual([]);
  });

  test.each([
    ["a key nobody knows", { read_onyl: true }],
    ["a capability that is no list", { cap_drop: "ALL" }],
    ["a port that is no port", { ports: [true] }],
  ])("would not pass with %s", (_, change) => {
    const file = structuredClone(composeFile()) as { services: Record<string, object> };
    Object.assign(file.services["galaxy-pool"] ?? {}, change);
    expect(isCompose(file)).toBe(false);
  });
});

type Kind = new (manifest: never) => { validate(): void };

function validate(manifest: Manifest): void {
  const known: Readonly<Record<string, Kind>> = KINDS;
  const Kind = known[manifest.kind];
  if (!Kind) throw new Error(`no schema is imported for ${manifest.kind}`);
  new Kind(manifest as never).validate();
}

/** The type of a manifest forbids fields nobody knows, which the schemas allow and the API server does not. */
function typeFaults(all: readonly Manifest[]): string {
  using folder = temporaryFolder();
  const lines = all.map(
    ({ apiVersion, kind }, at) =>
      `import type { I${kind} as Kind${at} } from "kubernetes-models/${apiVersion}/${kind}";`,
  );
  const values = all.map(
    (manifest, at) => `export const value${at}: Kind${at} = ${JSON.stringify(manifest)};`,
  );
  writeFileSync(join(folder.path, "manifests.ts"), [...lines, ...values, ""].join("\n"));
  const paths = { "kubernetes-models/*": [join(ROOT, "node_modules/kubernetes-models/*")] };
  const compilerOptions = {
    ...{ strict: true, noEmit: true, skipLibCheck: true, module: "Preserve", target: "ESNext" },
    ...{ moduleResolution: "bundler", types: [], paths },
  };
  const project = join(folder.path, "tsconfig.json");
  writeFileSync(project, JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  const tsc = join(ROOT, "node_modules/typescript/bin/tsc");
  const run = Bun.spawnSync([process.execPath, tsc, "--project", project], { stderr: "pipe" });
  return `${run.stdout}${run.stderr}`;
}

describe("the Kubernetes manifest", () => {
  test.each(manifests().map((one) => [`${one.kind} ${one.metadata.name}`, one] as const))(
    "has a %s as its API server takes it",
    (_, manifest) => {
      expect(() => validate(manifest)).not.toThrow();
    },
  );

  test("would not pass with a number written as text", () => {
    const wrong = manifests().map((one) =>
      one.kind === "StatefulSet" ? { ...one, spec: { ...one.spec, replicas: "1" } } : one,
    );
    expect(() => wrong.forEach(validate)).toThrow("replicas must be integer");
  });

  test("has no field that Kubernetes does not know", () => {
    expect(typeFaults(manifests())).toBe("");
  });

  test("would not pass with such a field", () => {
    const wrong = manifests().map((one) =>
      one.kind === "StatefulSet" ? { ...one, spec: { ...one.spec, replicsa: 1 } } : one,
    );
    expect(typeFaults(wrong)).toContain("replicsa");
  });
});
