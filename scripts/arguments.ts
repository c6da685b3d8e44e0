/** A whole number within bounds; throws an error that says what is wanted instead. */
export function whole(
  name: string,
  text: string,
  { least = 0, most = Number.MAX_SAFE_INTEGER } = {},
): number {
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= least && value <= most) return value;
  const bounds = most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `from ${least} on`;
  throw new Error(`${name} is a whole number ${bounds}, not "${text}"`);
}

/** Says on stderr what was not understood and how it is used, and gives the code to end with. */
export function misused(thrown: unknown, usage: string): 2 {
  console.error(`${thrown instanceof Error ? thrown.message : thrown}\n${usage}`);
  return 2;
}
