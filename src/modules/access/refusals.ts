import { PoolError } from "@/std/errors.ts";

/** The one answer to every enrolment that proves nothing, so that it tells nothing. */
export const enrolmentRefused = () =>
  new PoolError(
    "unauthenticated",
    "enrolment.refused",
    "The join token, its proof or the signing request is not good: the token may be used up, expired, " +
      "revoked or made for something else. Ask the operator for a new one.",
  );

/** The one answer to work that was not done, not asked for, too late, or brought before. */
export const workRefused = () =>
  new PoolError(
    "unauthenticated",
    "enrolment.work_refused",
    "The challenge is not solved for this key, has expired or was used. Ask for a new one and solve that.",
  );

/** The one answer to credentials that are unknown, expired, revoked or forged. */
export const badCredentials = () =>
  new PoolError(
    "unauthenticated",
    "access.unauthenticated",
    "These credentials are unknown, expired or revoked. Sign in again, or check the token you send.",
  );

/** The refusal of a certificate that stands for nobody any more. */
export const certificateRefused = () =>
  new PoolError(
    "unauthenticated",
    "certificate.refused",
    "This client certificate is not one of this installation, is out of date, or was replaced. Renew it.",
  );

/** The one answer to a renewal that proves nothing. */
export const renewalRefused = () =>
  new PoolError(
    "unauthenticated",
    "renewal.refused",
    "The renewal is not signed with the node's registered key. Renew with that key, or join with a new token.",
  );

/** The refusal of a node that stayed away for too long. */
export const renewalTooLate = () =>
  new PoolError(
    "precondition",
    "renewal.too_late",
    "The certificate expired more than 31 days ago. Join again with a new token and the same key; " +
      "the node keeps its id and its balance.",
  );

/** The refusal of a new key that is, or was, somebody's. */
export const keyTaken = () =>
  new PoolError(
    "exists",
    "node.key_taken",
    "The new key is or was in use here. Make another one and renew again.",
  );

/** The refusal to issue anything by a clock that may be wrong. */
export const clockUntrusted = () =>
  new PoolError(
    "unavailable",
    "clock.untrusted",
    'The pool does not trust its own clock yet and issues nothing; see "galaxy-pool status".',
    { retryAfterSeconds: 30 },
  );

/** The refusal to end what has not begun. */
export const noRotation = () =>
  new PoolError(
    "precondition",
    "authority.not_rotating",
    'Only one root is believed; there is nothing to end. "galaxy-pool cert rotate" begins a rotation.',
  );

/** The refusal to leave nodes behind. */
export const rootNeeded = (nodes: number) =>
  new PoolError(
    "precondition",
    "authority.root_needed",
    `${nodes} node(s) have not fetched the new root yet and would have to join again with a new token. ` +
      'See which with "galaxy-pool cert list", wait until they were on once, or end it all the same with --force.',
  );
