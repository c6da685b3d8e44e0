import { genesisCert } from "@/core/consensus/certificates.ts";
import type { Status, Wish } from "@/core/consensus/messages.ts";
import { quorumOf } from "@/core/consensus/quorum.ts";
import type { Hash, PublicKey, TC } from "@/core/consensus/types.ts";
import type { Traitor, TrickCode } from "./traitor.ts";
import { falseTC } from "./traitor-forgeries.ts";

/** How one can lie about views, and about everything. */

function wish(traitor: Traitor, wishView: number): Wish | undefined {
  const replica = traitor.host.state?.replica;
  if (!replica || traitor.index < 0) return undefined;
  const { epoch, highCert, commitCert, highTC } = replica.durable;
  const sig = traitor.lair.pen.sign({ type: "wish", epoch, wishView });
  const commitView = commitCert.view;
  return {
    type: "wish",
    epoch,
    wishView,
    commitView,
    highCert,
    highTC,
    signer: traitor.index,
    sig,
  };
}

function sayWish(traitor: Traitor, to: readonly PublicKey[], view: number): void {
  const said = wish(traitor, view);
  if (said) traitor.say(to, said);
}

function wishHuge(traitor: Traitor): void {
  const views = [2 ** 52, 2 ** 52 - 1, traitor.view + 1_000];
  sayWish(traitor, traitor.some(), traitor.stream.pick(views));
}

function wishOscillating(traitor: Traitor): void {
  const { stream, view } = traitor;
  const somewhere = Math.max(1, view - 3 + stream.int(8));
  sayWish(traitor, traitor.some(), somewhere);
  sayWish(traitor, traitor.some(), somewhere + stream.int(3));
}

/** A timeout certificate of wishes for different views: a right one, or one for a view too high. */
function mixedTimeouts(traitor: Traitor): void {
  const tc = gathered(traitor) ?? traitor.coven.tcs.at(-1);
  if (!tc) return;
  const said = traitor.stream.chance(0.5) ? tc : falseTC(traitor, tc);
  traitor.say(traitor.some(), { type: "tc", tc: said });
}

function timeoutToOne(traitor: Traitor): void {
  const tc = gathered(traitor) ?? traitor.coven.tcs.at(-1);
  if (tc) traitor.say([traitor.one()], { type: "tc", tc });
}

/** The highest timeout certificate that can be made of all wishes ever said and its own. */
function gathered(traitor: Traitor): TC | undefined {
  const { committee } = traitor;
  if (!committee) return undefined;
  const highest = highestWishes(traitor, committee.epoch);
  const mine = wish(traitor, traitor.view + 1 + traitor.stream.int(4));
  if (mine) highest.set(traitor.index, mine);
  const size = quorumOf(committee.validators.length);
  const quorum = [...highest.values()].sort((a, b) => b.wishView - a.wishView).slice(0, size);
  const last = quorum.at(-1);
  if (!last || quorum.length < size) return undefined;
  const entries = quorum
    .map(({ signer, wishView, sig }) => ({ signer, wishView, sig }))
    .sort((a, b) => a.signer - b.signer);
  return { epoch: committee.epoch, view: last.wishView, entries };
}

function highestWishes({ coven }: Traitor, epoch: number): Map<number, Wish> {
  const highest = new Map<number, Wish>();
  for (const message of coven.messages) {
    if (message.type !== "wish" || message.epoch !== epoch) continue;
    if (message.wishView > (highest.get(message.signer)?.wishView ?? 0))
      highest.set(message.signer, message);
  }
  return highest;
}

/** Tells the leader of a lock lower than its own. */
const staleNewView: TrickCode = {
  pass: (traitor, _to, message) => {
    const { committee, coven, stream } = traitor;
    if (message.type !== "new_view" || !committee || !traitor.lair.may("stale_new_view"))
      return [message];
    const old = stream.pick([genesisCert(committee, "P"), ...coven.certs.slice(-6)]);
    const header =
      coven.blocks.get(old.block)?.header ??
      (old.view === 0 ? traitor.host.blocks.get(old.block)?.header : undefined);
    return header ? [{ ...message, highCert: old, highHeader: header }] : [];
  },
};

function falseStatus(traitor: Traitor): void {
  const { stream, committee } = traitor;
  if (!committee) return;
  const status: Status = {
    type: "status",
    epoch: committee.epoch + stream.pick([0, 0, 0, 1, -1]),
    view: stream.pick([1, traitor.view, traitor.view + 100]),
    committedHeight: stream.pick([0, 3, 1_000_000]),
    committedHash: "cd".repeat(32) as Hash,
    commitView: stream.pick([0, 1_000_000]),
    highCertView: stream.pick([0, 1_000_000]),
    clockHealthy: true,
    stateVote: null,
  };
  traitor.say(traitor.some(), status);
}

/** Says nothing for a while, to all or to some. */
const silence: TrickCode = {
  act: (traitor) => {
    traitor.isSilent = true;
    const ms = traitor.stream.logUniform(50, 4 * traitor.host.config.timeoutMs);
    traitor.host.later(ms, () => {
      traitor.isSilent = false;
    });
  },
};

/** Is there for half of the others only. */
const twoFaces: TrickCode = {
  pass: (traitor, to, message) => {
    const { others } = traitor.lair;
    const isShown = (others.indexOf(to) + traitor.view) % 2 === 0;
    return isShown || !traitor.lair.may("two_faces") ? [message] : [];
  },
};

/** More than anybody should keep: votes, wishes, views and proposals of far away. */
function flood(traitor: Traitor): void {
  const { stream, index, committee, host } = traitor;
  if (index < 0 || !committee || !host.state) return;
  const to = [traitor.one()];
  const { epoch } = committee;
  for (let count = 0; count < 12; count++) {
    const view = traitor.view + stream.int(200);
    const ballot = {
      kind: stream.pick(["P", "C"] as const),
      epoch,
      view,
      height: view,
      justifyView: 0,
    };
    const block = stream.int(1_000_000).toString(16).padStart(64, "0") as Hash;
    const said = { type: "vote", ...ballot, block } as const;
    traitor.say(to, { ...said, signer: index, sig: traitor.lair.pen.sign(said) });
    const { highCert, commitCert } = host.state.replica.durable;
    const highHeader = host.blocks.get(highCert.block)?.header;
    if (highHeader)
      traitor.say(to, {
        type: "new_view",
        epoch,
        view,
        highCert,
        highHeader,
        commit: commitCert,
        entry: null,
        signer: index,
      });
  }
}

/** Starts again as if it had never said a thing. */
const amnesia: TrickCode = {
  act: (traitor) => {
    if (traitor.stream.chance(0.2)) traitor.lair.restartWiped();
  },
};

export const VIEW_TRICKS = {
  wish_huge: { act: wishHuge },
  wish_oscillating: { act: wishOscillating },
  mixed_timeouts: { act: mixedTimeouts },
  timeout_to_one: { act: timeoutToOne },
  stale_new_view: staleNewView,
  false_status: { act: falseStatus },
  silence,
  two_faces: twoFaces,
  flood: { act: flood },
  amnesia,
} as const satisfies Record<string, TrickCode>;
