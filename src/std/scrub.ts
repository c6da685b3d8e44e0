/** What stands where a secret stood. */
export const HIDDEN = "[hidden]";

/** Names of fields that hold a secret, in headers, bodies, queries, options and settings. */
const NAMES =
  "pass(?:word|wd|phrase)?|secret|token|(?:access|refresh|id|join|operator|session)[_-]?token|" +
  "api[_-]?key|x-api-key|private[_-]?key(?:[_-]?pem)?|client[_-]?secret|pgpassword|seed|" +
  "receipt[_-]?master|(?:set-)?cookie|proof";
/** A value in quotes, in quotes that were escaped once, or as one word. What stands for a value stays. */
const VALUE = String.raw`"(?:[^"\\]|\\.)*"|\\"(?:(?!\\").)*\\"|'[^']*'|(?![<…"'\\\s{[])(?!(?:null|true|false)\b)[^\s"'&,;}\\]+`;

/** Each rule by itself; the order matters where one would hide what another needs to see. */
const RULES: readonly (readonly [RegExp, string])[] = [
  [/-----BEGIN [A-Z ]*PRIVATE KEY-----[^"]*?(?:-----END [A-Z ]*PRIVATE KEY-----|(?=")|$)/g, HIDDEN],
  [/(\/\/[^\s:/@"]{0,256}):[^\s"]{0,1024}@/g, `$1:${HIDDEN}@`],
  [/(gp[a-z])_[a-z0-9_]{8,}/gi, `$1_${HIDDEN}`],
  [/(gp\d)\.[a-z0-9][a-z0-9.]{7,}/gi, `$1.${HIDDEN}`],
  [/eyJ[\w-]{8,}(?:\.[\w-]*)*/g, HIDDEN],
  [
    /(authorization\\*["']?\s*[:=]\s*\\*["']?)(?:(?:bearer|basic|digest|negotiate)\s+(?!<))?(?!(?:bearer|basic|digest|negotiate)\s)(?!\[hidden)[^\s"',;\\<]+/gi,
    `$1${HIDDEN}`,
  ],
  [/(bearer\s+)[\w.~+/=-]{8,}/gi, `$1${HIDDEN}`],
  [/(Basic\s+)[A-Za-z0-9+/]{8,}={0,2}/g, `$1${HIDDEN}`],
  [/((?:set-)?cookie["']?\s*:\s*)[^\r\n"]+/gi, `$1${HIDDEN}`],
];

const FIELD = new RegExp(
  String.raw`((?<![A-Za-z0-9_])(?:${NAMES})(\\*["']?)\s*[:=]\s*)(${VALUE})`,
  "gi",
);

/** Whether a text could hold a secret at all: most do not, and are not looked at again. */
const TRACES =
  /gp[a-z\d][_.]|eyJ|PRIVATE KEY|:\/\/|auth|bearer|basic|pass|secret|token|key|cookie|seed|master|proof/i;

/**
 * A text without what looks like a secret: tokens, keys, cookies, passwords of addresses, fields
 * called so. `known` are secrets of this process that look like nothing. JSON stays JSON.
 */
export function scrub(text: string, known: readonly string[] = []): string {
  let clean = text;
  for (const secret of known) clean = clean.replaceAll(secret, HIDDEN);
  if (!TRACES.test(clean)) return clean;
  for (const [pattern, instead] of RULES) clean = clean.replace(pattern, instead);
  return clean.replace(FIELD, hideValue);
}

/** In the quotes it had; a number among quoted names gets theirs. */
function hideValue(_: string, head: string, ofName: string, value: string): string {
  const quote = /^(\\?"|')/.exec(value)?.[0] ?? ofName;
  return `${head}${quote}${HIDDEN}${quote}`;
}

/** Secrets of this process as they may be written: plain, in an address, in JSON. */
export function spellings(secrets: readonly string[]): string[] {
  const all = secrets
    .filter((secret) => secret.length >= KNOWN_LETTERS_MIN)
    .flatMap((secret) => [secret, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)]);
  return [...new Set(all)].sort((one, other) => other.length - one.length);
}

/** Shorter ones would hide words that mean nothing. */
const KNOWN_LETTERS_MIN = 6;
