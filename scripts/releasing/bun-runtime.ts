import { readFileSync } from "node:fs";
import { join } from "node:path";

/** A library linked into Bun, its licence as its authors name it, and its name in `process.versions`. */
interface Linked {
  readonly name: string;
  readonly license: string;
  readonly key?: string;
}

/** As LICENSE.md of Bun lists them; those that only the Windows build holds are left out. */
const LINKED: readonly Linked[] = [
  { name: "JavaScriptCore (WebKit)", license: "LGPL-2.1", key: "webkit" },
  { name: "BoringSSL", license: "ISC, OpenSSL and others", key: "boringssl" },
  { name: "brotli", license: "MIT" },
  { name: "c-ares", license: "MIT", key: "ares" },
  { name: "highway", license: "Apache-2.0" },
  { name: "ICU", license: "Unicode-3.0", key: "icu" },
  { name: "libarchive", license: "BSD-2-Clause and others", key: "libarchive" },
  { name: "libbase64", license: "BSD-2-Clause" },
  { name: "libdeflate", license: "MIT", key: "libdeflate" },
  { name: "libjpeg-turbo", license: "BSD-3-Clause, IJG and Zlib" },
  { name: "libspng", license: "BSD-2-Clause" },
  { name: "libwebp", license: "BSD-3-Clause" },
  { name: "LLVM libc++abi (parts)", license: "Apache-2.0 WITH LLVM-exception" },
  { name: "lol-html", license: "BSD-3-Clause", key: "lolhtml" },
  { name: "ls-hpack", license: "MIT", key: "lshpack" },
  { name: "ls-qpack", license: "MIT" },
  { name: "lsquic", license: "MIT and BSD-3-Clause" },
  { name: "mimalloc", license: "MIT", key: "mimalloc" },
  { name: "picohttpparser", license: "MIT", key: "picohttpparser" },
  { name: "simdutf", license: "Apache-2.0" },
  { name: "SQLite", license: "blessing (public domain)", key: "sqlite" },
  { name: "TinyCC", license: "LGPL-2.1", key: "tinycc" },
  { name: "uSockets", license: "Apache-2.0", key: "usockets" },
  { name: "uucode", license: "MIT" },
  { name: "uWebSockets", license: "Apache-2.0", key: "uwebsockets" },
  { name: "zlib-ng", license: "Zlib", key: "zlib" },
  { name: "zstd", license: "BSD-3-Clause", key: "zstd" },
];

/** What the licence list says about the runtime the executable is made of. */
export function bunLicences(): string {
  const text = readFileSync(join(import.meta.dir, "texts", "bun.txt"), "utf8");
  const rows = LINKED.map((one) => {
    const version = linkedVersion(one);
    return `  ${one.name.padEnd(24)} ${one.license}${version === undefined ? "" : `  (${version})`}\n`;
  });
  return `${text}\n${rows.join("")}`;
}

/** Bun and what is linked into it, as components of a CycloneDX document. */
export function bunComponent(): Readonly<Record<string, unknown>> {
  const version = Bun.version;
  return {
    type: "platform",
    name: "bun",
    version,
    "bom-ref": `bun@${version}`,
    description: "The runtime the executable is made of.",
    licenses: [{ license: { id: "MIT" } }],
    purl: `pkg:npm/bun@${version}`,
    externalReferences: [{ type: "vcs", url: "https://github.com/oven-sh/bun" }],
    components: LINKED.map((one) => linkedComponent(one, version)),
  };
}

function linkedComponent(one: Linked, bun: string): Readonly<Record<string, unknown>> {
  const version = linkedVersion(one);
  return {
    type: "library",
    name: one.name,
    ...(version === undefined ? {} : { version }),
    "bom-ref": `bun@${bun}|${one.name}`,
    licenses: [{ license: { name: one.license } }],
  };
}

function linkedVersion({ key }: Linked): string | undefined {
  return key === undefined ? undefined : process.versions[key];
}
