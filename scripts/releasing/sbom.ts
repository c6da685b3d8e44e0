import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Spec, Validation } from "@cyclonedx/cyclonedx-library";
import { bunComponent } from "./bun-runtime.ts";
import type { Bundled } from "./bundled.ts";
import { Refusal } from "./refusal.ts";
import { run } from "./run.ts";

/** A CycloneDX document, as far as the release touches it. */
interface Sbom {
  metadata: { component: Component; tools?: { components?: { name: string }[] } };
  components: Component[];
}

interface Component {
  name: string;
  group?: string;
  version?: string;
  purl?: string;
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
export async function sbomOf(
  packages: string,
  version: string,
  bundled: readonly Bundled[],
): Promise<string> {
  const file = join(packages, "sbom.json");
  run([process.execPath, TOOL, ...OPTIONS, "--spec-version", "1.6", "--output-file", file], {
    cwd: packages,
    env: { ...process.env, BUN_BE_BUN: "1", NODE_ENV: "production" },
  });
  const sbom = JSON.parse(readFileSync(file, "utf8")) as Sbom;
  const text = `${JSON.stringify(completed(sbom, version), null, 2)}\n`;
  await refuseFaulty(text, bundled);
  return text;
}

/** Names the version of the release and Bun, and drops npm's own version, which differs by machine. */
function completed(sbom: Sbom, version: string): Sbom {
  const { component, tools } = sbom.metadata;
  const { version: before } = component;
  component.version = version;
  if (component.purl !== undefined)
    component.purl = component.purl.replace(`@${before}`, `@${version}`);
  if (tools?.components) tools.components = tools.components.filter(({ name }) => name !== "npm");
  return { ...sbom, components: [...sbom.components, bunComponent() as unknown as Component] };
}

async function refuseFaulty(text: string, bundled: readonly Bundled[]): Promise<void> {
  const faults = await new Validation.JsonStrictValidator(Spec.Version.v1dot6).validate(text);
  if (faults !== null)
    throw new Refusal(`The SBOM breaks its schema: ${JSON.stringify(faults).slice(0, 400)}`);
  const named = namesIn(text);
  const missing = bundled.map(({ name, version }) => `${name}@${version}`);
  const left = missing.filter((one) => !named.has(one));
  if (left.length > 0) throw new Refusal(`The SBOM does not name ${left.join(", ")}.`);
}

/** The packages an SBOM names, as `name@version`. */
export function namesIn(text: string): ReadonlySet<string> {
  const { components } = JSON.parse(text) as Sbom;
  return new Set(
    components.map(({ name, group, version }) => `${group ? `${group}/` : ""}${name}@${version}`),
  );
}
