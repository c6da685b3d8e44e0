import type { Logger } from "pino";
import { defineModule } from "@/kernel/module.ts";
import type { Clock } from "@/ports/clock.ts";
import type { Supervisor } from "@/ports/supervisor.ts";
import { NotifySocket } from "./supervisor/notify-socket.ts";

declare module "@/kernel/module.ts" {
  interface Services {
    supervisor: Supervisor;
  }
}

const AGAIN_MS = 250;
const TRIES_MAX = 20;
const WAITING_MAX = 8;
const FEED = "WATCHDOG=1";

/** What the connection to systemd is made of. */
export interface SupervisorParts {
  readonly clock: Clock;
  readonly log: Logger;
  /** What it finds here of NOTIFY_SOCKET and WATCHDOG_* it takes out: children shall not answer for us. */
  readonly environment: NodeJS.ProcessEnv;
  readonly pid: number;
}

/** Tells systemd how this process is (sd_notify); nobody when NOTIFY_SOCKET is not set. */
export function openSupervisor(parts: SupervisorParts): Supervisor & Disposable {
  const asked = takenFrom(parts.environment);
  const socket = asked.socket === "" ? undefined : openSocket(asked.socket, parts.log);
  if (!socket) return NOBODY;
  const isForUs = asked.watchdogPid === "" || asked.watchdogPid === String(parts.pid);
  const watchdogMs = isForUs ? Number(asked.watchdogMicroseconds) / 1000 : 0;
  return new Systemd(socket, watchdogMs, parts);
}

const NOBODY: Supervisor & Disposable = {
  ready() {},
  status() {},
  reloading() {},
  stopping() {},
  feedWhile: () => () => {},
  [Symbol.dispose]() {},
};

function takenFrom(environment: NodeJS.ProcessEnv) {
  const take = (name: string): string => {
    const value = environment[name] ?? "";
    delete environment[name];
    return value;
  };
  return {
    socket: take("NOTIFY_SOCKET"),
    watchdogMicroseconds: take("WATCHDOG_USEC"),
    watchdogPid: take("WATCHDOG_PID"),
  };
}

function openSocket(name: string, log: Logger): NotifySocket | undefined {
  try {
    return new NotifySocket(name);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    log.warn(
      { problem },
      "systemd cannot be told how this goes; that is fine with Type=exec and no watchdog",
    );
    return undefined;
  }
}

/** The other end of NOTIFY_SOCKET. */
class Systemd implements Supervisor, Disposable {
  readonly #socket: NotifySocket;
  readonly #watchdogMs: number;
  readonly #clock: Clock;
  readonly #log: Logger;
  /** What did not fit, in order: READY must not be lost because the socket was full for a moment. */
  readonly #waiting: string[] = [];
  #tries = 0;
  #hasWarned = false;
  #cancel = (): void => {};

  constructor(socket: NotifySocket, watchdogMs: number, { clock, log }: SupervisorParts) {
    this.#socket = socket;
    this.#watchdogMs = watchdogMs;
    this.#clock = clock;
    this.#log = log;
  }

  ready(line: string): void {
    this.#tell(`READY=1\n${statusOf(line)}`);
  }

  status(line: string): void {
    this.#tell(statusOf(line));
  }

  reloading(): void {
    this.#tell(`RELOADING=1\nMONOTONIC_USEC=${this.#socket.monotonicMicroseconds()}`);
  }

  stopping(line: string): void {
    this.#tell(`STOPPING=1\n${statusOf(line)}`);
  }

  /** It asks again soon after a no: a stall may spoil one answer and still leave patience. */
  feedWhile(isServing: () => boolean | Promise<boolean>): () => void {
    if (!(this.#watchdogMs > 0)) return () => {};
    let [isAsking, isOver] = [false, false];
    let cancelSoon = (): void => {};
    const feed = async (): Promise<void> => {
      if (isAsking) return;
      isAsking = true;
      const isFine = await this.#isFine(isServing);
      isAsking = false;
      cancelSoon();
      if (isFine) this.#socket.send(FEED);
      else if (!isOver) cancelSoon = this.#clock.after(this.#watchdogMs / 30, () => void feed());
    };
    void feed();
    const cancel = this.#clock.every(this.#watchdogMs / 3, () => void feed());
    return () => {
      isOver = true;
      cancel();
      cancelSoon();
    };
  }

  [Symbol.dispose](): void {
    this.#waiting.length = 0;
    this.#cancel();
    this.#socket[Symbol.dispose]();
  }

  async #isFine(isServing: () => boolean | Promise<boolean>): Promise<boolean> {
    try {
      if (await isServing()) return true;
      this.#log.warn("the watchdog is not fed: this process does not do its work");
    } catch (error) {
      this.#log.error({ err: error }, "the watchdog is not fed: asking this process failed");
    }
    return false;
  }

  #tell(message: string): void {
    this.#waiting.push(message);
    if (this.#waiting.length > WAITING_MAX) this.#waiting.shift();
    if (this.#waiting.length === 1) this.#sendWaiting();
  }

  #sendWaiting(): void {
    while (this.#waiting[0] !== undefined) {
      if (!this.#socket.send(this.#waiting[0])) {
        this.#tryAgain();
        return;
      }
      this.#waiting.shift();
      this.#tries = 0;
    }
  }

  #tryAgain(): void {
    this.#tries++;
    if (!this.#hasWarned) this.#log.warn("systemd does not take what it is told; trying again");
    this.#hasWarned = true;
    if (this.#tries >= TRIES_MAX) this.#waiting.length = 0;
    else this.#cancel = this.#clock.after(AGAIN_MS, () => this.#sendWaiting());
  }
}

/** One line, whatever stands in it. */
function statusOf(line: string): string {
  return `STATUS=${line.replace(/\p{Cc}+/gu, " ")}`;
}

/** Provides the supervisor of this process. */
export const supervisor = defineModule({
  name: "supervisor",
  needs: ["clock"],
  provides: "supervisor",
  start({ clock }, { log, defer }) {
    const { env: environment, pid } = process;
    const opened = openSupervisor({ clock, log, environment, pid });
    defer(() => opened[Symbol.dispose]());
    return opened;
  },
});
