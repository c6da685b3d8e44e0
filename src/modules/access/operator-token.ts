import type { Caller } from "@/core/caller.ts";
import { SECRET_BYTES, secretOf } from "@/core/token.ts";
import type { Files } from "@/ports/files.ts";
import type { Random } from "@/ports/random.ts";
import { sameBytes, utf8 } from "@/std/bytes.ts";
import { sha256 } from "@/std/crypto.ts";
import { PoolError } from "@/std/errors.ts";

/** The file in the data folder that holds the operator's token, 0600. */
export const OPERATOR_TOKEN_FILE = "operator.token";

const PREFIX = "gpo_";
const SHAPE = /^gpo_[a-z2-7]{26}$/;

/** Who reads the file is the operator of this machine. */
const LOCAL_OPERATOR: Caller = {
  type: "operator",
  id: "operator:local",
  roles: ["admin", "operator"],
};

/** Makes the operator's token when there is none yet; answers the one that counts. */
export function createOperatorToken(files: Files, random: Random): string {
  const known = files.readText(OPERATOR_TOKEN_FILE)?.trim();
  if (known !== undefined && SHAPE.test(known)) return known;
  return writeToken(files, random);
}

/** Written beside and renamed: whoever reads meanwhile finds the old token or the new one. */
function writeToken(files: Files, random: Random): string {
  const token = `${PREFIX}${secretOf(random.bytes(SECRET_BYTES))}`;
  files.write(OPERATOR_TOKEN_FILE, `${token}\n`);
  return token;
}

/** The token of the local operator; only its hash stays in memory. */
export class OperatorToken {
  readonly #files: Files;
  #hash: Uint8Array;

  constructor(files: Files) {
    this.#files = files;
    this.#hash = hashIn(files);
  }

  /** Reads the file again: replacing it takes the old token's rights away. */
  reload(): void {
    this.#hash = hashIn(this.#files);
  }

  /** Puts a new token into the file; the one before is dead. */
  rotate(random: Random): void {
    this.#hash = sha256(utf8(writeToken(this.#files, random)));
  }

  recognises(secret: string): boolean {
    return secret.startsWith(PREFIX);
  }

  /** The operator, or undefined; comparing hashes takes the same time for every guess. */
  callerOf(secret: string): Caller | undefined {
    return sameBytes(sha256(utf8(secret)), this.#hash) ? LOCAL_OPERATOR : undefined;
  }
}

function hashIn(files: Files): Uint8Array {
  const token = files.readText(OPERATOR_TOKEN_FILE)?.trim();
  if (token !== undefined && SHAPE.test(token)) return sha256(utf8(token));
  throw new PoolError(
    "precondition",
    "data.not_initialised",
    `The data folder holds no good ${OPERATOR_TOKEN_FILE}. Run "galaxy-pool init"; it keeps what is there.`,
  );
}
