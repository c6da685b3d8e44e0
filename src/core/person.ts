import type { Caller, Role } from "./caller.ts";
import { hasRole } from "./caller.ts";

/** The roles people and API keys may have; nodes are nodes by their own keys. */
export const PERSON_ROLES = ["admin", "operator", "client", "auditor"] as const;

/** The fewest letters of a password; one that was made by us has more. */
export const PASSWORD_LETTERS_MIN = 12;
/** The most letters of a password: hashing takes bounded work. */
export const PASSWORD_LETTERS_MAX = 128;

const NAME = /^[a-z0-9](?:[a-z0-9._-]{0,30}[a-z0-9])?$/;

/** What is granted with a person or a key. */
export interface Grants {
  readonly roles: readonly Role[];
  readonly org: string | undefined;
  /** Undefined is not limited. */
  readonly scopes?: readonly string[] | undefined;
}

/** What is wrong with the name of a person, undefined when nothing is. */
export function personNameProblem(name: string): string | undefined {
  if (NAME.test(name) && name !== "me") return undefined;
  return "must be 1 to 32 of a-z, 0-9, '.', '_' and '-', begin and end with a letter or digit, and not be \"me\"";
}

/** A password as it is compared: the same letters typed on another keyboard are the same. */
export function passwordText(typed: string): string {
  return typed.normalize("NFKC");
}

/** What is wrong with a new password, undefined when nothing is. */
export function passwordProblem(typed: string, name: string): string | undefined {
  const letters = [...passwordText(typed)].length;
  if (letters < PASSWORD_LETTERS_MIN || letters > PASSWORD_LETTERS_MAX) {
    return `must have ${PASSWORD_LETTERS_MIN} to ${PASSWORD_LETTERS_MAX} characters`;
  }
  if (passwordText(typed).toLowerCase().includes(name) && name.length >= 4) {
    return "must not contain the name";
  }
  return new Set(passwordText(typed)).size < 5
    ? "must have at least 5 different characters"
    : undefined;
}

/**
 * Whether a caller may give this away: nobody grants more than he has. An admin grants every role of
 * people; whoever speaks for an organization grants for that one only; a caller that is limited to
 * scopes grants some of these.
 */
export function mayGrant(caller: Caller, { roles, org, scopes }: Grants): boolean {
  const hasRoles = hasRole(caller, "admin") || roles.every((role) => caller.roles.includes(role));
  if (!hasRoles || !isOfOrg(caller, org)) return false;
  const { scopes: limits } = caller;
  if (limits === undefined) return true;
  return scopes?.every((scope) => limits.includes(scope)) ?? false;
}

/** Whether something of an organization is a caller's to see and to change. */
export function isOfOrg(caller: Caller, org: string | undefined): boolean {
  return caller.org === undefined || caller.org === org;
}
