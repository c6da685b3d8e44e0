import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { NAMESPACE } from "./crafted.ts";
import { type Machine, spawned } from "./machine.ts";
import { withEnvironment } from "./readme.ts";
import { OLD, type Release } from "./release.ts";
import { demand } from "./report.ts";
import { Snapshot } from "./snapshot.ts";

const RUN_MS = 120_000;
const NOBODY = "http://127.0.0.1:9";
const BEYOND = "http://192.0.2.1:8080";
const SUMS = /\/SHA256SUMS$/;
const SIGNATURES = /\/SHA256SUMS\.(minisig|sig)$/;
const ARCHIVE = /-linux-x64\.gz$/;
const SCRIPT = /\/install\.sh$/;
const CUTS = 24;
const BIN = "/usr/local/bin";

/** One way in which an installation must not happen. */
interface Attempt {
  readonly name: string;
  /** Spoils what is served, or the machine. */
  readonly spoil?: (release: Release, machine: Machine) => unknown;
  /** Mends the machine again; what is served mends itself. */
  readonly mend?: string;
  /** What is set for the line. */
  readonly environment?: readonly string[];
  /** What the refusal has to say. */
  readonly says: RegExp;
}

const ATTEMPTS: readonly Attempt[] = [
  {
    name: "tampered binary",
    spoil: (release) => release.alter(ARCHIVE, tamperedInside),
    says: /checksum|sha-?256|hash/i,
  },
  {
    name: "damaged archive",
    spoil: (release) => release.alter(ARCHIVE, flipped),
    says: /checksum|sha-?256|hash/i,
  },
  {
    name: "tampered checksum",
    spoil: (release) => release.alter(SUMS, flipped),
    says: /signature/i,
  },
  {
    name: "tampered signature",
    spoil: (release) => release.alter(SIGNATURES, flipped),
    says: /signature/i,
  },
  {
    name: "no signature",
    spoil: (release) => release.alter(SIGNATURES, () => undefined),
    says: /signature|SHA256SUMS/i,
  },
  {
    name: "signature of a stranger",
    spoil: async (release) => {
      const signature = await signedByStranger(release);
      release.alter(SIGNATURES, () => signature);
    },
    says: /signature/i,
  },
  {
    name: "nothing to check it with",
    spoil: (_, machine) => machine.exec("mv /usr/bin/ssh-keygen /tmp/ssh-keygen"),
    mend: "mv /tmp/ssh-keygen /usr/bin/ssh-keygen",
    says: /INSTALL_GALAXY_SKIP_SIGNATURE/,
  },
  {
    name: "plain http beyond this machine",
    environment: [`INSTALL_GALAXY_BASE_URL=${BEYOND}`],
    says: /https|INSTALL_GALAXY_INSECURE_URL/i,
  },
  {
    name: "no network",
    environment: [`INSTALL_GALAXY_BASE_URL=${NOBODY}`],
    says: /download|fetch|reach/i,
  },
  {
    name: "full disk",
    spoil: (_, machine) => machine.exec(fullDisk(BIN, 1000)),
    mend: `umount ${BIN}`,
    says: /space|full|0 MB are free/i,
  },
  {
    name: "no inode left",
    spoil: (_, machine) => machine.exec(fullDisk(BIN, 3)),
    mend: `umount ${BIN}`,
    says: /space|full|0 MB are free/i,
  },
];

/** What only a first installation comes across. */
const FIRST_ATTEMPTS: readonly Attempt[] = [
  {
    name: "full disk under the units",
    spoil: (_, machine) => machine.exec(fullDisk("/etc/systemd/system", 0)),
    mend: "umount /etc/systemd/system",
    says: /written|space|full/i,
  },
  {
    name: "full disk under the data",
    spoil: (_, machine) => machine.exec(fullDisk("/var/lib/private", 3)),
    mend: "umount /var/lib/private",
    says: /initialise/i,
  },
];

/** A disk over a folder that holds what is there, 64 kB more, and some files more. */
function fullDisk(folder: string, filesMore: number): string {
  return `mkdir -p /tmp/kept && cp -a ${folder}/. /tmp/kept/ && \
mount -t tmpfs -o size=$(($(du -sk ${folder} | cut -f1) + 64))k,nr_inodes=$(($(find ${folder} | wc -l) + ${filesMore})),mode=$(stat -c %a ${folder}) tmpfs ${folder} && \
cp -a /tmp/kept/. ${folder}/ && rm -rf /tmp/kept`;
}

/** What is tried on a machine, and how to know that nothing happened to it. */
export interface Trial {
  readonly release: Release;
  readonly machine: Machine;
  /** A line that would install or upgrade. */
  readonly line: string;
  /** Folders of the service's own, which changes them while it runs. */
  readonly without: readonly string[];
  /** Nothing is installed yet. */
  readonly isFirst: boolean;
}

/** Tries every attempt and compares the disk before and after; answers what was refused. */
export async function expectRefusals(trial: Trial): Promise<string> {
  const attempts = trial.isFirst ? [...ATTEMPTS, ...FIRST_ATTEMPTS] : ATTEMPTS;
  let before = await Snapshot.take(trial.machine, trial);
  for (const attempt of attempts) before = await expectRefusal(trial, attempt, before);
  return `${attempts.map(({ name }) => name).join(", ")}: each refused, ${before.size} lines of files and hashes the same`;
}

async function expectRefusal(trial: Trial, attempt: Attempt, before: Snapshot): Promise<Snapshot> {
  const { release, machine } = trial;
  release.restore();
  await machine.keepOffers();
  await attempt.spoil?.(release, machine);
  try {
    const line = withEnvironment(trial.line, attempt.environment ?? []);
    const ran = await machine.exec(line, { timeoutMs: RUN_MS, allowFailure: true });
    demand(ran.code !== 0, `${attempt.name} to be refused`, `${ran.stdout}${ran.stderr}`);
    const from = ran.stderr.search(/^\[ERROR\]|ended unexpectedly/m);
    const isSaid = from >= 0 && attempt.says.test(ran.stderr.slice(from));
    demand(isSaid, `${attempt.name} to be refused with ${attempt.says}`, ran.stderr);
    const bin = await machine.read(`ls -A ${BIN}`);
    demand(!/part|new|tmp/.test(bin), `${attempt.name}: no leftovers in ${BIN}`, bin);
  } finally {
    release.restore();
    if (attempt.mend !== undefined) await machine.exec(attempt.mend);
  }
  const after = await Snapshot.take(machine, trial);
  const changed = before.differences(after);
  demand(changed.length === 0, `nothing to change (${attempt.name})`, changed.slice(0, 10));
  return after;
}

/** Types the line while the script arrives cut, at many points; answers where. */
export async function expectCutsHarmless(trial: Trial, version = OLD): Promise<string> {
  const { release, machine } = trial;
  const { length } = release.bytes(version, "install.sh");
  const before = await Snapshot.take(machine, trial);
  const points = Array.from({ length: CUTS }, (_, at) => Math.floor((length * at) / CUTS));
  for (const point of [...points, length - 20, length - 2]) {
    release.restore();
    release.alter(SCRIPT, (bytes) => bytes.slice(0, point));
    await machine.exec(trial.line, { timeoutMs: RUN_MS, allowFailure: true });
    const more = release.requests.filter((path) => !SCRIPT.test(path));
    demand(more.length === 0, `a script cut after ${point} bytes to fetch nothing`, more);
  }
  release.restore();
  const changed = before.differences(await Snapshot.take(machine, trial));
  demand(changed.length === 0, "a cut script to change nothing", changed.slice(0, 10));
  return `cut at ${points.length + 2} points of ${length} bytes: nothing fetched, nothing changed`;
}

/** The sums as they are, signed the right way with a key that is not ours. */
async function signedByStranger(release: Release): Promise<Uint8Array> {
  const folder = mkdtempSync(join(tmpdir(), "galaxy-stranger-"));
  try {
    const [key, sums] = [join(folder, "key"), join(folder, "SHA256SUMS")];
    writeFileSync(sums, release.latestBytes("SHA256SUMS"));
    await spawned(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key]);
    await spawned(["ssh-keygen", "-q", "-Y", "sign", "-n", NAMESPACE, "-f", key, sums]);
    return readFileSync(`${sums}.sig`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Another program in a sound archive. */
function tamperedInside(archive: Uint8Array): Uint8Array {
  return Bun.gzipSync(Buffer.from(flipped(Bun.gunzipSync(Buffer.from(archive)))), { level: 1 });
}

/** One bit in the middle is another. */
function flipped(bytes: Uint8Array): Uint8Array {
  const changed = bytes.slice();
  const at = Math.floor(bytes.length / 2);
  changed[at] = (bytes[at] ?? 0) ^ 1;
  return changed;
}
