import { until } from "../bench/processes.ts";
import type { Machine } from "./machine.ts";
import { demand } from "./report.ts";

const LOOK_EVERY_MS = 100;

export interface JournalLine {
  /** 0 is the most urgent, 7 is debug. */
  readonly priority: number;
  readonly message: string;
  /** Who wrote it: our program, or systemd about it. */
  readonly program: string;
}

/** One service on a machine, as its systemd sees it. */
export class Unit {
  readonly #machine: Machine;
  readonly #name: string;

  constructor(machine: Machine, name: string) {
    this.#machine = machine;
    this.#name = name;
  }

  async property(name: string): Promise<string> {
    return this.#machine.read(`systemctl show -P ${name} ${this.#name}`);
  }

  async pid(): Promise<number> {
    return Number(await this.property("MainPID"));
  }

  /** `active`, `failed`, `inactive`, `activating`, … */
  async state(): Promise<string> {
    return this.property("ActiveState");
  }

  async restarts(): Promise<number> {
    return Number(await this.property("NRestarts"));
  }

  /** Every line of this boot with its priority, as journald keeps it. */
  async records(): Promise<readonly JournalLine[]> {
    const lines = await this.#machine.read(
      `journalctl -b -u ${this.#name} -o json --output-fields=PRIORITY,MESSAGE,SYSLOG_IDENTIFIER --no-pager`,
    );
    return lines.split("\n").flatMap((line) => {
      const { PRIORITY, MESSAGE, SYSLOG_IDENTIFIER } = JSON.parse(line) as Record<string, unknown>;
      if (typeof MESSAGE !== "string") return [];
      return [{ priority: Number(PRIORITY), message: MESSAGE, program: String(SYSLOG_IDENTIFIER) }];
    });
  }

  /** What was logged at this priority or a more urgent one, since this boot. */
  async journal(priority = "debug"): Promise<string> {
    return this.#machine.read(`journalctl -b -u ${this.#name} -p ${priority} -o cat --no-pager`);
  }

  /** Waits until the service is active under another process than `formerPid`; answers how long that took. */
  async untilBack(formerPid: number, patienceMs = 60_000): Promise<number> {
    const startMs = performance.now();
    const look = async (): Promise<true | undefined> => {
      const [state, pid] = [await this.state(), await this.pid()];
      return state === "active" && pid !== 0 && pid !== formerPid ? true : undefined;
    };
    await until(`${this.#name} to be back`, look, { withinMs: patienceMs, everyMs: LOOK_EVERY_MS });
    return performance.now() - startMs;
  }

  async untilState(state: string, patienceMs = 60_000): Promise<void> {
    const look = async () => ((await this.state()) === state ? true : undefined);
    await until(`${this.#name} to be ${state}`, look, {
      withinMs: patienceMs,
      everyMs: LOOK_EVERY_MS,
    });
  }

  /** Runs something after which the same process must still serve. */
  async staysUp(act: () => Promise<void>): Promise<void> {
    const pid = await this.pid();
    await act();
    const [state, now] = [await this.state(), await this.pid()];
    demand(
      state === "active" && now === pid,
      `${this.#name} to run on as ${pid}`,
      `${state} ${now}`,
    );
  }
}
