/** The verdict of one readiness check; `detail` says what is wrong and which command helps. */
export interface Verdict {
  readonly ok: boolean;
  readonly detail: string;
  /** What an operator should know although all is well; it stands in the status. */
  readonly warning?: string;
}

/** What `/readyz` asks, by name. Any module adds its own before the doors open. */
export interface Checks {
  add(name: string, probe: () => Verdict | Promise<Verdict>): void;
  /** All verdicts, in the order added; a probe that throws is not ok. */
  run(): Promise<ReadonlyMap<string, Verdict>>;
}
