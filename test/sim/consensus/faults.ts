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
  readonly happened: Fault[] = [];
  readonly #without: ReadonlySet<string>;
  readonly #names = new Set<string>();

  constructor(without: ReadonlySet<string> = new Set()) {
    this.#without = without;
  }

  /** Whether this one may happen; if so it has. */
  may(at: number, name: string, what: string | (() => string) = ""): boolean {
    if (this.#without.has(name)) return false;
    if (this.#names.has(name)) return true;
    this.#names.add(name);
    this.happened.push({ name, at, what });
    return true;
  }
}

/** A fault in a line. */
export function describeFault({ at, name, what }: Fault): string {
  const said = typeof what === "string" ? what : what();
  return `${at.toFixed(1).padStart(9)}  ${name}${said ? `: ${said}` : ""}`;
}
