import { PoolError } from "@/std/errors.ts";

/** Nobody of that name, or nobody the caller may see. */
export const personUnknown = (name: string) =>
  new PoolError(
    "not_found",
    "user.unknown",
    `There is nobody called "${name.slice(0, 32)}" here; list the people to see who there is.`,
  );

/** A name that is taken. */
export const personExists = (name: string) =>
  new PoolError(
    "exists",
    "user.exists",
    `There is somebody called "${name}" already; choose another name.`,
  );

/** Without an admin among the people nobody but the operator of this machine could help. */
export const lastAdmin = () =>
  new PoolError(
    "precondition",
    "user.last_admin",
    "This is the last admin who can sign in. Make another one first, then repeat this.",
  );

/** What is wrong with what was asked for, place by place. */
export function invalid(
  code: "user.invalid" | "key.invalid",
  problems: readonly { readonly path: string; readonly message: string | undefined }[],
): void {
  const errors = problems.flatMap(({ path, message }) =>
    message === undefined ? [] : [{ path, message }],
  );
  if (errors.length === 0) return;
  const sentence = errors.map(({ path, message }) => `${path} ${message}`).join("; ");
  throw new PoolError("invalid", code, `This cannot be: ${sentence}.`, { errors });
}

/** Nobody gives away more than he has. */
export const grantTooWide = () =>
  new PoolError(
    "denied",
    "access.grant_too_wide",
    "You may not give away more than you have: fewer roles, your own organization, and no scope beyond yours.",
  );

/** No key like this, or none the caller may see. */
export const keyUnknown = (id: string) =>
  new PoolError(
    "not_found",
    "key.unknown",
    `There is no live API key ${id.slice(0, 8)}; list the keys to see which there are.`,
  );

/** All places are taken. */
export const tooMany = (code: "user.limit" | "key.limit", what: string, max: number) =>
  new PoolError(
    "precondition",
    code,
    `There are ${max} ${what} already, the most this pool keeps. Remove one first, or raise the limit in the configuration.`,
  );

/** More people sign in at once than their passwords can be checked. */
export const signInBusy = () =>
  new PoolError(
    "exhausted",
    "access.busy",
    "Too many people are signing in at this moment. Try again in a few seconds.",
    { retryAfterSeconds: 3 },
  );

/** The right password, but one that is only good for choosing another. */
export const passwordOneTime = () =>
  new PoolError(
    "denied",
    "user.password_one_time",
    "This password is good for one thing: choosing your own. Do that first (galaxy-pool user password), then sign in.",
  );
