import { sendWhenDurable, take } from "./emit.ts";
import type { Unsigned, Wish } from "./messages.ts";
import { readmit } from "./pruning.ts";
import { faultsOf, quorumOf } from "./quorum.ts";
import { wish } from "./safety-rules.ts";
import { isSyncView, nextSyncView, spanLeaders } from "./spans.ts";
import type { Replica } from "./state.ts";
import type { TC, View } from "./types.ts";
import { enter, onTC } from "./views.ts";

/** Leaving a view that failed (section 7). */

/** My view has timed out (§7.2). What its proposal held must not be known to a few only (§7.4). */
export function onViewTimeout(replica: Replica): void {
  const { view, proposals, durable } = replica;
  const proposal = proposals.get(view)?.first;
  if (proposal) readmit(replica, proposal.block);
  replica.timedOut = view;
  if (!isSyncView(replica, view + 1)) enter(replica, view + 1, { how: "timer" });
  else makeWish(replica, Math.max(durable.lastWishView, nextSyncView(replica, view)));
}

function makeWish(replica: Replica, view: View): void {
  if (view > replica.durable.lastWishView)
    take(replica, wish(replica.durable, view), { lazy: false });
  replica.resends = 0;
  replica.resendAt = replica.now + 2 * replica.config.deltaMs;
  sendWish(replica);
}

/** Sends my last wish: to all, or in a large committee to those who lead what I wish for. */
export function sendWish(replica: Replica): void {
  const { durable, committee, config, me } = replica;
  const { lastWishView: wishView, highCert, highTC, commitCert } = durable;
  if (me === null || wishView <= replica.view) return;
  const message: Unsigned<Wish> = {
    type: "wish",
    epoch: committee.epoch,
    wishView,
    commitView: commitCert.view,
    highCert,
    highTC,
    signer: me,
  };
  const isSmall = committee.validators.length <= config.wishFanoutMax;
  sendWhenDurable(replica, isSmall ? "all" : spanLeaders(replica, wishView), message);
}

/** A verified wish (§7.3). Only the highest of each signer counts, so memory has a bound. */
export function onWish(replica: Replica, message: Wish): void {
  const { wishes, view, me, now } = replica;
  if (message.wishView > view && message.signer !== me) replica.calledAt = now;
  const before = wishes.get(message.signer)?.wishView ?? 0;
  if (message.wishView <= before || !isSyncView(replica, message.wishView)) return;
  wishes.set(message.signer, message);
  countWishes(replica);
  followWishes(replica);
}

function countWishes(replica: Replica): void {
  const n = replica.committee.validators.length;
  const views = [...replica.wishes.values()].map(({ wishView }) => wishView);
  views.sort((a, b) => b - a);
  replica.wished = { some: views[faultsOf(n)] ?? 0, quorum: views[quorumOf(n) - 1] ?? 0 };
}

/** f + 1 wishes have an honest one among them: join in. A quorum of them moves everybody (§7.3). */
function followWishes(replica: Replica): void {
  const { wished, view, durable, me } = replica;
  if (me !== null && wished.some > view && wished.some > durable.lastWishView)
    makeWish(replica, wished.some);
  if (wished.quorum > view) onTC(replica, timeoutFor(replica, wished.quorum));
}

/** The wishes of a certificate may differ: each has to be for its view or a higher one. */
function timeoutFor({ wishes, committee }: Replica, view: View): TC {
  const entries = [...wishes.values()]
    .filter(({ wishView }) => wishView >= view)
    .map(({ signer, wishView, sig }) => ({ signer, wishView, sig }))
    .sort((a, b) => a.signer - b.signer);
  return { epoch: committee.epoch, view, entries };
}
