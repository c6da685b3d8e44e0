import { formatCheckpoint, type SignedCheckpoint } from "@/core/audit/checkpoint.ts";
import { readCheckpoint } from "@/core/audit/restart.ts";
import type { Files } from "@/ports/files.ts";

const PATH = "audit/checkpoint.json";

/** What the log last said, and the newest of it that witnesses signed too. */
export interface Said {
  readonly newest: SignedCheckpoint | undefined;
  readonly cosigned: SignedCheckpoint | undefined;
}

/**
 * Keeps the newest signed checkpoint outside of the database: what a restored database no longer
 * knows, this file still does. It is written before the checkpoint is shown to anybody.
 */
export class CheckpointFile {
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  /** What is kept; a file that is damaged says nothing, and the witnesses are asked instead. */
  read(): Said & { readonly isDamaged: boolean } {
    const text = this.#files.readText(PATH);
    if (text === undefined) return { newest: undefined, cosigned: undefined, isDamaged: false };
    const fields = fieldsOf(text);
    const newest = readCheckpoint(fields.newest ?? "");
    return { newest, cosigned: readCheckpoint(fields.cosigned ?? ""), isDamaged: !newest };
  }

  write({ newest, cosigned }: Said): void {
    const said = {
      newest: newest ? formatCheckpoint(newest) : null,
      cosigned: cosigned ? formatCheckpoint(cosigned) : null,
    };
    this.#files.write(PATH, `${JSON.stringify(said, null, 2)}\n`);
  }
}

function fieldsOf(text: string): { newest?: string | null; cosigned?: string | null } {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : {};
  } catch {
    return {};
  }
}
