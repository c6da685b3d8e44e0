/** Our own mistake: a promise we made to ourselves does not hold. It ends the process (exit 70). */
export class AssertionError extends Error {
  override readonly name = "AssertionError";
}

/** Asserts what we promise ourselves. What comes from outside is validated with a `PoolError` instead. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionError(message);
}

/** Closes a union: the compiler refuses the call while a case is left over. */
export function unreachable(value: never): never {
  throw new AssertionError(`unreachable: ${String(value)}`);
}
