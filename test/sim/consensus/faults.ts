/** Something that went wrong on purpose. Its name stays the same when others are left out. */
export interface Fault {
  readonly name: string;
  readonly at: number;
  readonly what: string | (() => string);
}

/**
 * The faults of a run: each is asked for by name before it happens, so that a smaller run can leave
 * some of them out.
 */
export class Faults {
  readonly counts = noFaults();
  readonly #happened: (() => Fault)[] = [];
  readonly #without: ReadonlySet<string>;
  readonly #names = new Set<string>();

  constructor(without: ReadonlySet<string> = new Set()) {
    this.#without = without;
  }

  /** Whether this one may happen; if so it has. */
  may(at: number, sort: FaultSort, which: string, what = ""): boolean {
    const name = `${sort} ${which}`;
    if (this.#names.has(name)) return true;
    if (!this.mayOnce(sort, () => ({ name, at, what }))) return false;
    this.#names.add(name);
    return true;
  }

  /** The same for one that is asked for once: it is put in words only when somebody wants to read them. */
  mayOnce(sort: FaultSort, fault: () => Fault): boolean {
    if (this.#without.size > 0 && this.#without.has(fault().name)) return false;
    this.counts[sort]++;
    this.#happened.push(fault);
    return true;
  }

  /** Those that happened, in their order. */
  get happened(): readonly Fault[] {
    return this.#happened.map((fault) => fault());
  }
}

/** What sorts of faults there are, as the first word of their names. */
export const FAULT_SORTS = [
  "lose",
  "repeat",
  "delay",
  "cut",
  "crash",
  "torn",
  "disk",
  "behind",
  "clock",
  "lie",
] as const;
export type FaultSort = (typeof FAULT_SORTS)[number];
export type FaultCounts = Readonly<Record<FaultSort, number>>;

/** No faults. */
export function noFaults(): Record<FaultSort, number> {
  const counts = FAULT_SORTS.map((sort) => [sort, 0] as const);
  return Object.fromEntries(counts) as Record<FaultSort, number>;
}

/** The faults of two runs. */
export function addFaults(a: FaultCounts, b: FaultCounts): FaultCounts {
  const sum = noFaults();
  for (const sort of FAULT_SORTS) sum[sort] = a[sort] + b[sort];
  return sum;
}

/** A fault in a line. */
export function describeFault({ at, name, what }: Fault): string {
  const said = typeof what === "string" ? what : what();
  return `${at.toFixed(1).padStart(9)}  ${name}${said ? `: ${said}` : ""}`;
}
