import type { Contained } from "./container.ts";
import { EXECUTABLE } from "./engine.ts";
import { demand } from "./report.ts";

const FINAL = "gcr.io/distroless/base-nossl-debian12:nonroot";
const DOCUMENTS = "/usr/share/doc/galaxy-pool";
/** All an image holds beyond its base; folders are named because an engine lists them. */
const ADDED = [
  ...["/data", "/usr/local", "/usr/local/bin", EXECUTABLE],
  ...["/usr/share/doc", DOCUMENTS, `${DOCUMENTS}/LICENSE`, `${DOCUMENTS}/THIRD-PARTY-LICENSES.txt`],
];

/** Builds the image from the unchanged Dockerfile and looks at what it is; answers whether there is one. */
export async function imageSteps(contained: Contained): Promise<boolean> {
  const { part, engine, architecture, tag, context } = contained;
  const built = await part.step(`${architecture}: the image builds unchanged`, async (tell) => {
    tell((await engine.build(context, tag, architecture)).replace("harness: ", ""));
    const added = await addedFiles(contained);
    const strange = added.filter((path) => !ADDED.includes(path));
    demand(strange.length === 0, "nothing but executable, data folder and licences", strange);
    tell(`over its base: ${added.length} files and folders`);
  });
  if (!built) return false;
  await part.step(`${architecture}: no shell, no root, every library`, async (tell) => {
    const { stderr } = await engine.drive(["check", tag]);
    tell(
      stderr
        .trim()
        .split("\n")
        .map((line) => line.replace("harness: ", ""))
        .join(", "),
    );
  });
  await part.step(`${architecture}: says what it is`, async (tell) => {
    const format = "{{.Architecture}} {{.Config.User}} {{.Config.StopSignal}} {{.Config.Labels}}";
    const said = await engine.podman(["image", "inspect", "-f", format, tag]);
    demand(said.startsWith(`${architecture} 65532:65532 SIGTERM`), "user and stop signal", said);
    for (const label of ["version:1.0.0", "licenses:MIT", "title:galaxy-pool"])
      demand(said.includes(`org.opencontainers.image.${label}`), `the label ${label}`, said);
    tell(said.slice(0, said.indexOf(" map[")));
  });
  return true;
}

async function addedFiles({ engine, tag }: Contained): Promise<readonly string[]> {
  const words = ["image", "diff", "--format", "json", tag, FINAL];
  const { added = [], deleted = [] } = JSON.parse(await engine.podman(words)) as {
    added?: string[];
    deleted?: string[];
  };
  demand(deleted.length === 0, "nothing of the base to be gone", deleted);
  return added;
}
