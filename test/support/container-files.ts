import { readFileSync } from "node:fs";
import { join } from "node:path";

/** What the Dockerfile, the Compose file and the Kubernetes manifest say, as far as tests compare it. */

export const ROOT = join(import.meta.dir, "../..");

/** One instruction of a Dockerfile: its name in capitals, and the rest of its line. */
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export interface ComposeService {
  readonly image: string;
  readonly user: string;
  readonly read_only: boolean;
  readonly cap_drop: readonly string[];
  readonly security_opt: readonly string[];
  readonly mem_limit: string;
  readonly stop_grace_period: string;
  readonly environment: Readonly<Record<string, string | number | null>>;
  readonly volumes: readonly string[];
  readonly ports: readonly string[];
  readonly healthcheck: { readonly test: readonly string[] };
}

export interface EnvironmentEntry {
  readonly name: string;
  readonly value?: string;
  readonly valueFrom?: object;
}

interface Probe {
  readonly httpGet: { readonly path: string; readonly port: string };
}

export interface Container {
  readonly image: string;
  readonly args: readonly string[];
  readonly env: readonly EnvironmentEntry[];
  readonly ports: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string }[];
  readonly securityContext: unknown;
  readonly resources: { readonly limits: Readonly<Record<string, string>> };
  readonly startupProbe: Probe;
  readonly livenessProbe: Probe;
  readonly readinessProbe: Probe;
}

export interface PodSpec {
  readonly enableServiceLinks: boolean;
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly containers: readonly Container[];
  readonly terminationGracePeriodSeconds: number;
}

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly spec?: Readonly<Record<string, unknown>>;
}

/** The stages of Dockerfile.arm64; what stands before the first FROM is a stage of its own. */
export function dockerStages(): readonly (readonly Instruction[])[] {
  const lines = readText("Dockerfile.arm64")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .join("\n")
    .replaceAll(/\\\n\s*/g, "")
    .split("\n");
  const stages: Instruction[][] = [[]];
  for (const line of lines) {
    const [, name = "", text = ""] = /^(\S+)\s+(.*)$/.exec(line.trim()) ?? [];
    if (name === "FROM") stages.push([]);
    if (name !== "") stages.at(-1)?.push({ name, text });
  }
  return stages;
}

/** The instructions of the last stage, which is the image. */
export function imageInstructions(): readonly Instruction[] {
  return dockerStages().at(-1) ?? [];
}

/** What the image says with an instruction that occurs once. */
export function said(name: string): string {
  const found = imageInstructions().filter((one) => one.name === name);
  const [only] = found;
  if (!only || found.length > 1) throw new Error(`${name} occurs ${found.length} times`);
  return only.text;
}

/** The variables the image sets. */
export function imageEnvironment(): ReadonlyMap<string, string> {
  const words = said("ENV").match(/\S+=\S*/g) ?? [];
  return new Map(words.map((word) => [word.split("=")[0] ?? "", word.replace(/^[^=]+=/, "")]));
}

export function composeFile(): Readonly<Record<string, unknown>> {
  return Bun.YAML.parse(readText("scripts/container/compose.yaml")) as Record<string, unknown>;
}

/** The only service of the Compose file. */
export function composeService(): ComposeService {
  const services = Object.values(composeFile()["services"] as Record<string, ComposeService>);
  const [service] = services;
  if (!service || services.length > 1) throw new Error(`${services.length} services`);
  return service;
}

export function manifests(): readonly Manifest[] {
  return Bun.YAML.parse(readText("scripts/container/kubernetes.yaml")) as Manifest[];
}

/** The manifests of a kind. */
export function manifestsOf(kind: string): readonly Manifest[] {
  return manifests().filter((one) => one.kind === kind);
}

/** The pod the StatefulSet makes. */
export function podSpec(): PodSpec {
  const template = manifestsOf("StatefulSet")[0]?.spec?.["template"] as { spec: PodSpec };
  return template.spec;
}

/** The only container of that pod. */
export function podContainer(): Container {
  const [container, ...more] = podSpec().containers;
  if (!container || more.length > 0) throw new Error("not one container");
  return container;
}

export function readText(path: string): string {
  return readFileSync(join(ROOT, path), "utf8");
}
