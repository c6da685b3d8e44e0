import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { bunComponent } from "./bun-runtime.ts";
import type { Bundled } from "./bundled.ts";
import { Refusal } from "./refusal.ts";
import { run } from "./run.ts";

/** A CycloneDX document, as far as the release touches it. */
interface Sbom {
  metadata: { tools?: { components?: { name: string }[] } };
  components: Component[];
}

interface Component {
  scope?: string;
  name: string;
  group?: string;
  version?: string;
  components?: readonly object[];
}

const TOOL = join(
  import.meta.dir,
  "../../node_modules/@cyclonedx/cyclonedx-npm/bin/cyclonedx-npm-cli.js",
);
const OPTIONS = ["--package-lock-only", "--output-reproducible", "--flatten-components"];

/**
 * sbom.cdx.json: every package of the lock that is not for development alone, and Bun. The packages
 * folder holds nothing but package.json and its lock.
 */
export async function sbomOf(packages: string, bundled: readonly Bundled[]): Promise<string> {
  const file = join(packages, "sbom.json");
  run([process.execPath, TOOL, ...OPTIONS, "--spec-version", "1.6", "--output-file", file], {
    cwd: packages,
    env: { ...process.env, NODE_ENV: "production" },
  });
  const sbom = JSON.parse(readFileSync(file, "utf8")) as Sbom;
  const text = `${JSON.stringify(completed(sbom, bundled), null, 2)}\n`;
  await refuseFaulty(text, bundled);
  return text;
}

/**
 * Names Bun, says which packages the lock asks for but the executable does not hold, and drops npm's own
 * version, which differs by machine.
 */
function completed(sbom: Sbom, bundled: readonly Bundled[]): Sbom {
  const { tools } = sbom.metadata;
  if (tools?.components) tools.components = tools.components.filter(({ name }) => name !== "npm");
  const held = new Map(bundled.map((one) => [`${one.name}@${one.version}`, one.holds]));
  for (const one of sbom.components) {
    const inside = held.get(nameOf(one));
    one.scope = inside ? "required" : "excluded";
    if (inside && inside.length > 0)
      one.components = inside.map((name) => componentInside(nameOf(one), name));
  }
  return { ...sbom, components: [...sbom.components, bunComponent() as unknown as Component] };
}

/** A package inside the files of another; which version, its makers do not say. */
function componentInside(owner: string, name: string): object {
  const [short = name, group] = name.split("/").reverse();
  return {
    type: "library",
    ...(group === undefined ? {} : { group }),
    name: short,
    "bom-ref": `${owner}|${name}`,
    purl: `pkg:npm/${name.replace("@", "%40")}`,
  };
}

/** Refuses an SBOM that breaks its schema or does not name a package of the executable. */
export async function refuseFaulty(text: string, bundled: readonly Bundled[]): Promise<void> {
  const faults = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
  if (faults !== null)
    throw new Refusal(`The SBOM breaks its schema: ${JSON.stringify(faults).slice(0, 400)}`);
  const named = namesIn(text);
  const missing = bundled.map(({ name, version }) => `${name}@${version}`);
  const left = missing.filter((one) => !named.has(one));
  if (left.length > 0) throw new Refusal(`The SBOM does not name ${left.join(", ")}.`);
}

/** The packages an SBOM says are in the executable, as `name@version`. */
export function namesIn(text: string): ReadonlySet<string> {
  const { components } = JSON.parse(text) as Sbom;
  return new Set(components.filter(({ scope }) => scope !== "excluded").map(nameOf));
}

function nameOf({ name, group, version }: Component): string {
  return `${group ? `${group}/` : ""}${name}@${version}`;
}
