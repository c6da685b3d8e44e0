/** What the driver tells of a column of a result. */
interface Column {
  readonly name: string;
  readonly type: number;
}

/** Rows as the driver hands them out. */
export type Result = readonly Record<string, unknown>[] & {
  readonly columns?: readonly Column[];
  readonly count: number | null;
  readonly command?: string | null;
};

type Reader = (value: unknown) => unknown;

/** Types by their number in pg_type, where the driver's value is not what SQLite gives. */
const READERS: Readonly<Record<number, Reader>> = {
  16: (value) => (value === true ? 1n : 0n),
  17: (value) => new Uint8Array(value as Uint8Array),
  21: (value) => BigInt(value as number),
  23: (value) => BigInt(value as number),
  26: (value) => BigInt(value as number),
  1700: (value) => (/^-?\d+$/.test(String(value)) ? BigInt(String(value)) : Number(value)),
};

/** Rows with values as SQLite gives them: integers are bigint, bytes Uint8Array. */
export function rowsOf(result: Result): readonly Record<string, unknown>[] {
  const readers = (result.columns ?? []).flatMap(({ name, type }) => {
    const reader = READERS[type];
    return reader ? [[name, reader] as const] : [];
  });
  return result.map((row) => {
    const normal = { ...row };
    for (const [name, reader] of readers) {
      if (normal[name] !== null) normal[name] = reader(normal[name]);
    }
    return normal;
  });
}
