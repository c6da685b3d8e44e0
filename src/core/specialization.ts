const PATTERN = /^[a-z][a-z0-9-]{0,31}$/;

/** The weight of a specialization nobody has named in the tariff, in thousandths. */
export const WEIGHT_USUAL = 1_000;

/** What is wrong with the name of a specialization, if anything. */
export function specializationProblem(text: string): string | undefined {
  if (PATTERN.test(text)) return undefined;
  return "must be 1 to 32 lower-case letters, digits and hyphens, beginning with a letter";
}

/**
 * What a specialization counts for, in thousandths. One that a node chose by itself never counts for
 * more than the usual weight until an operator or a token says so (trust.md, section 2, step 8).
 */
export function countedWeight(weight: number, approved: boolean): number {
  return approved ? weight : Math.min(weight, WEIGHT_USUAL);
}
