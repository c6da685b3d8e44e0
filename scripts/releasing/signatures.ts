import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Refusal } from "./refusal.ts";
import { run } from "./run.ts";
import type { Wish } from "./wish.ts";

/** The public halves of the keys a release is signed with; empty when there is none. */
export interface PublicKeys {
  readonly minisign: string;
  readonly ssh: string;
}

const IDENTITY = "release@galaxy-pool";
const NAMESPACE = "galaxy-pool-release";

/** Refuses a release that hosts could not verify. */
export function refuseUnsigned({ minisignKey, sshKey, unsigned }: Wish): void {
  for (const key of [minisignKey, sshKey])
    if (key !== undefined && !existsSync(key)) throw new Refusal(`There is no key ${key}.`);
  if (unsigned) return;
  const missing = [
    ...(minisignKey === undefined ? ["--minisign-key FILE"] : []),
    ...(sshKey === undefined ? ["--ssh-key FILE"] : []),
  ];
  if (missing.length > 0)
    throw new Refusal(
      `A release is signed with both keys; ${missing.join(" and ")} is missing. Hosts have one ` +
        "verifier or the other. Use --unsigned for a release that nobody can verify.",
    );
}

/** Reads the public halves, from the file beside the secret key or from the key itself. */
export function publicKeys({ minisignKey, sshKey }: Wish): PublicKeys {
  return {
    minisign: minisignKey === undefined ? "" : minisignPublic(minisignKey),
    ssh: sshKey === undefined ? "" : sshPublic(sshKey),
  };
}

function minisignPublic(key: string): string {
  const beside = [key.replace(/\.key$/, ".pub"), `${key}.pub`];
  const found = beside.find((path) => path !== key && existsSync(path));
  const text = found === undefined ? recreated(key) : readFileSync(found, "utf8");
  const line = text.trim().split("\n").at(-1) ?? "";
  if (!/^RW[A-Za-z0-9+/]{54}$/.test(line))
    throw new Refusal(`${found ?? key} holds no minisign public key.`);
  return line;
}

function recreated(key: string): string {
  const folder = mkdtempSync(join(tmpdir(), "galaxy-key-"));
  try {
    const to = join(folder, "public");
    run(["minisign", "-R", "-s", key, "-p", to], { asks: true });
    return readFileSync(to, "utf8");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function sshPublic(key: string): string {
  const beside = `${key}.pub`;
  const text = existsSync(beside)
    ? readFileSync(beside, "utf8")
    : run(["ssh-keygen", "-y", "-f", key], { asks: true });
  const [type, base64] = text.trim().split(/\s+/);
  if (type !== "ssh-ed25519" || base64 === undefined)
    throw new Refusal(`${key} is no ed25519 key: "ssh-keygen -t ed25519" makes one.`);
  return `${type} ${base64}`;
}

/** Signs the sums with each key there is, and checks each signature with its public half. */
export function sign(sums: string, version: string, wish: Wish, keys: PublicKeys): void {
  if (wish.minisignKey !== undefined) {
    const words = ["-t", `galaxy-pool ${version}`, "-c", `galaxy-pool ${version} SHA256SUMS`];
    run(["minisign", "-S", "-s", wish.minisignKey, "-m", sums, ...words], { asks: true });
    run(["minisign", "-V", "-q", "-P", keys.minisign, "-m", sums]);
  }
  if (wish.sshKey !== undefined) {
    rmSync(`${sums}.sig`, { force: true });
    run(["ssh-keygen", "-q", "-Y", "sign", "-f", wish.sshKey, "-n", NAMESPACE, sums], {
      asks: true,
    });
    verifySsh(sums, keys.ssh);
  }
}

/** Checks an ssh signature as install.sh does. */
function verifySsh(sums: string, key: string): void {
  const folder = mkdtempSync(join(tmpdir(), "galaxy-key-"));
  try {
    const signers = join(folder, "signers");
    writeFileSync(signers, `${IDENTITY} namespaces="${NAMESPACE}" ${key}\n`);
    const verify = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", IDENTITY, "-n", NAMESPACE];
    run([
      "sh",
      "-c",
      'input=$1; shift; exec "$@" <"$input"',
      "sh",
      sums,
      ...verify,
      "-s",
      `${sums}.sig`,
    ]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
