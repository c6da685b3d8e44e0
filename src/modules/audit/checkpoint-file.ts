import { formatCheckpoint, type SignedCheckpoint } from "@/core/audit/checkpoint.ts";
import { readCheckpoint } from "@/core/audit/restart.ts";
import type { Files } from "@/ports/files.ts";

const NEWEST = "audit/checkpoint.txt";
const COSIGNED = "audit/cosigned.txt";

/** What the log last said, and the newest of it that witnesses signed too. */
interface Said {
  readonly newest: SignedCheckpoint | undefined;
  readonly cosigned: SignedCheckpoint | undefined;
  /** Whether the newest cannot be read: then it says nothing, and the witnesses are asked instead. */
  readonly isDamaged: boolean;
}

/**
 * Keeps the newest signed checkpoint outside of the database: what a restored database no longer
 * knows, this file still does. It is written before the checkpoint is shown to anybody. Cosignatures
 * lie beside it and are written seldom: nodes give them again.
 */
export class CheckpointFile {
  readonly #files: Files;

  constructor(files: Files) {
    this.#files = files;
  }

  read(): Said {
    const text = this.#files.readText(NEWEST);
    const newest = text === undefined ? undefined : readCheckpoint(text);
    const cosigned = readCheckpoint(this.#files.readText(COSIGNED) ?? "");
    return { newest, cosigned, isDamaged: text !== undefined && !newest };
  }

  writeNewest(checkpoint: SignedCheckpoint): void {
    this.#files.write(NEWEST, formatCheckpoint(checkpoint));
  }

  writeCosigned(checkpoint: SignedCheckpoint): void {
    this.#files.write(COSIGNED, formatCheckpoint(checkpoint));
  }
}
