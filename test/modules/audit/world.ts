import pino from "pino";
import { TestClock } from "#test/support/clock.ts";
import type { DatabasePlace } from "#test/support/database.ts";
import { temporaryFolder } from "#test/support/folder.ts";
import { isCheckpointOf, type SignedCheckpoint } from "@/core/audit/checkpoint.ts";
import { judgeOffer, type Witnessed } from "@/core/audit/witness.ts";
import { systemCaller } from "@/core/caller.ts";
import { type NodeId, nodeIdOf } from "@/core/ids.ts";
import { openFiles } from "@/drivers/files.ts";
import { AuditLog, type LogSettings } from "@/modules/audit/log.ts";
import { Audit } from "@/modules/audit/service.ts";
import { AUDIT_MIGRATIONS } from "@/modules/audit/table.ts";
import { Witnesses } from "@/modules/audit/witnesses.ts";
import type { Database } from "@/ports/database.ts";
import type { Files } from "@/ports/files.ts";
import { utf8 } from "@/std/bytes.ts";
import { type SigningKey, sha256, signingKey } from "@/std/crypto.ts";

export const INSTALLATION = "abc";
const CALLER = systemCaller("test");
const SETTINGS: LogSettings = {
  checkpointSeconds: 60,
  checkpointEntries: 256,
  holdSeconds: 0,
  witnessesMax: 3,
};

/** Every checkpoint that was ever signed, whether or not anybody saw it. */
export class SignedTexts {
  readonly texts: string[] = [];
  readonly key: SigningKey;

  constructor() {
    const key = signingKey(sha256(utf8("audit")));
    const sign = (message: Uint8Array) => {
      this.texts.push(new TextDecoder().decode(message));
      return key.sign(message);
    };
    this.key = { publicKey: key.publicKey, sign };
  }
}

/** What the process of a pool holds of its audit. */
export interface RunningLog {
  readonly log: AuditLog;
  readonly audit: Audit;
  readonly witnesses: Witnesses;
  readonly database: Database;
  /** Acts that are committed. */
  act(count?: number, subject?: string): Promise<void>;
}

/** A data folder and a database that outlive the process. */
export class LogWorld implements AsyncDisposable {
  readonly clock = new TestClock();
  readonly signed = new SignedTexts();
  readonly lines: string[] = [];
  /** What the log told of itself. */
  readonly doubts: string[] = [];
  readonly #folder = temporaryFolder();
  readonly #place: DatabasePlace;
  readonly #open: Database[] = [];
  readonly nodes = new Map<NodeId, SigningKey>();

  constructor(place: DatabasePlace) {
    this.#place = place;
  }

  get files(): Files {
    return openFiles(`${this.#folder.path}/data`);
  }

  /** Ends the process before: it keeps nothing but what is on the disk. */
  async start(
    settings: Partial<LogSettings> = {},
    change: (parts: { files: Files; database: Database }) => {
      files: Files;
      database: Database;
    } = (parts) => parts,
  ): Promise<RunningLog> {
    await this.stop();
    const opened = await this.#place.open(this.clock);
    this.#open.push(opened);
    await opened.migrate(AUDIT_MIGRATIONS);
    const { files, database } = change({ files: this.files, database: opened });
    const { clock, signed } = this;
    const audit = new Audit(database, clock);
    const log = new AuditLog({
      database,
      files,
      clock,
      audit,
      random: {
        bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
        fraction: () => 0,
      },
      installation: INSTALLATION,
      key: signed.key,
      log: pino({ level: "info" }, { write: (line: string) => void this.lines.push(line) }),
      settings: { ...SETTINGS, ...settings },
      doubted: (why) => void this.doubts.push(why),
    });
    const registry = {
      findNode: (id: NodeId) => {
        const key = this.nodes.get(id);
        return key && ({ id, publicKey: key.publicKey } as never);
      },
    };
    const witnesses = new Witnesses({ log, registry, clock, installation: INSTALLATION });
    const act = async (count = 1, subject = "a") => {
      for (let done = 0; done < count; done++) {
        await database.commit([audit.row(CALLER, "node.left", subject, { number: done })]);
      }
    };
    return { log, audit, witnesses, database, act };
  }

  async stop(): Promise<void> {
    for (const database of this.#open.splice(0)) await database.close();
  }

  /** A node that can be a witness. */
  node(name: string): NodeId {
    const key = signingKey(sha256(utf8(name)));
    const id = nodeIdOf(key.publicKey);
    this.nodes.set(id, key);
    return id;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    await this.#place[Symbol.asyncDispose]();
    this.#folder[Symbol.dispose]();
  }
}

/** Lets the time of one checkpoint pass, and does what is due. */
export async function sign(world: LogWorld, { log }: RunningLog): Promise<SignedCheckpoint> {
  world.clock.advance(60_000);
  await log.step();
  if (!log.newest) throw new Error("a checkpoint is signed");
  return log.newest;
}

/** A witness that heard of a checkpoint by itself. */
export function seen(checkpoint: SignedCheckpoint, publicKey: Uint8Array): Witnessed {
  if (!isCheckpointOf(checkpoint, publicKey)) throw new Error("the log signed it");
  return { publicKey, checkpoint };
}

/** What a witness that holds a checkpoint makes of what it is offered now; "nothing" when nothing is. */
export function verdictOf(
  running: RunningLog,
  id: NodeId,
  known: Witnessed | undefined,
): ReturnType<typeof judgeOffer>["type"] | "nothing" {
  const offer = running.witnesses.offerFor(id);
  return offer ? judgeOffer(known, offer).type : "nothing";
}
