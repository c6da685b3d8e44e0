import { hasItsPayload } from "./block.ts";
import { addBlock, rootOf } from "./blocks.ts";
import { signersOf } from "./certificates.ts";
import { trace } from "./emit.ts";
import type { Blocks, Proposal } from "./messages.ts";
import type { Replica } from "./state.ts";
import { arm, cancel } from "./timers.ts";
import type { Cert, Hash, PublicKey } from "./types.ts";

/**
 * Getting blocks that I lack (§8.1): only those that a certificate leads to, so nobody can make me
 * look for what does not exist. Hash links vouch for them.
 */

/** Why a block is wanted: who signed the certificate has it, and the leader first. */
interface Wanted {
  readonly cert: Cert;
  readonly proposer: number | null;
}

/** Asks for what is missing now, and forgets what is not. */
export function updateFetching(replica: Replica): void {
  const wanted = wantedBlocks(replica);
  const { fetching, now, config } = replica;
  for (const hash of fetching.keys()) if (!wanted.has(hash)) fetching.delete(hash);
  for (const [hash, why] of wanted) {
    const known = fetching.get(hash) ?? { attempts: 0, dueAt: now };
    if (known.dueAt > now) continue;
    ask(replica, { hash, why, attempts: known.attempts });
    const pause = Math.min(2 * config.deltaMs * 2 ** known.attempts, config.resendMsMax);
    fetching.set(hash, { attempts: known.attempts + 1, dueAt: now + pause });
  }
  if (fetching.size === 0) cancel(replica, "fetch");
  else arm(replica, "fetch", Math.min(...[...fetching.values()].map(({ dueAt }) => dueAt)));
}

/** The timer of the fetches fired: who should have answered by now has not. */
export function onFetchTimeout({ fetching, now }: Replica): void {
  const first = Math.min(...[...fetching.values()].map(({ dueAt }) => dueAt));
  for (const known of fetching.values()) if (known.dueAt <= first) known.dueAt = now;
}

function ask(
  replica: Replica,
  { hash, why, attempts }: { readonly hash: Hash; readonly why: Wanted; readonly attempts: number },
): void {
  const from = peersFor(replica, why, attempts);
  const untilHeight = replica.committed.header.height;
  if (from.length > 0) replica.effects.push({ type: "fetch", hash, untilHeight, from });
}

/**
 * The proposer at first; then the signers in turn, beginning with another one each time. A genesis is
 * not signed: whoever votes in its epoch has it.
 */
function peersFor(
  { committee, config, me }: Replica,
  { cert, proposer }: Wanted,
  attempts: number,
): readonly PublicKey[] {
  const signers = cert.view === 0 ? [...committee.validators.keys()] : signersOf(cert.bitmap);
  const first = (attempts + (me ?? 0)) % Math.max(1, signers.length);
  const inTurn = [...signers.slice(first), ...signers.slice(0, first)];
  const order = proposer === null || attempts > 0 ? inTurn : [proposer, ...inTurn];
  const keys = new Set(order.flatMap((signer) => committee.validators[signer] ?? []));
  keys.delete(config.me);
  return [...keys];
}

const NOTHING: ReadonlyMap<Hash, Wanted> = new Map();

/** What stops a commit; and when nothing does, what stops the next proposal or the next vote. */
function wantedBlocks(replica: Replica): ReadonlyMap<Hash, Wanted> {
  const { uncommitted, stuck, durable } = replica;
  if (uncommitted !== null) {
    if (stuck === null || stuck.missing === null) return NOTHING;
    return new Map([[stuck.missing, { cert: uncommitted, proposer: null }]]);
  }
  const proposal = votableProposal(replica);
  const proposer = proposal?.block.header.proposer ?? null;
  const high = missingAt(replica, { cert: durable.highCert, proposer: null });
  const parent = proposal ? missingAt(replica, { cert: proposal.justify, proposer }) : NOTHING;
  return parent.size === 0 ? high : new Map([...high, ...parent]);
}

function votableProposal({ proposals, view, durable }: Replica): Proposal | null {
  const proposal = proposals.get(view);
  const isVotable = proposal?.isRefused === false && durable.lastVotedView < view;
  return isVotable ? proposal.first : null;
}

function missingAt(replica: Replica, wanted: Wanted): ReadonlyMap<Hash, Wanted> {
  const { block, height } = wanted.cert;
  if (height <= replica.committed.header.height) return NOTHING;
  const root = rootOf(replica, block);
  return root.type === "missing" ? new Map([[root.hash, wanted]]) : NOTHING;
}

/** Blocks from high to low, the first of which I have asked for (§8.1). */
export function onBlocks(replica: Replica, { blocks }: Blocks): void {
  let expected = blocks[0]?.hash;
  if (expected === undefined || !replica.fetching.has(expected)) return;
  for (const block of blocks) {
    if (block.hash !== expected || !hasItsPayload(block)) return;
    if (block.header.height <= replica.committed.header.height) return;
    addBlock(replica, block);
    expected = block.header.parent;
  }
}

/** §8.5: so far behind that I only follow, until I am close again. */
export function updateLag(replica: Replica): void {
  const { uncommitted, committed, config, isCatchingUp } = replica;
  const lag = uncommitted === null ? 0 : uncommitted.height - committed.header.height;
  const isFar = lag > config.lagMax || (isCatchingUp && lag >= config.lagOver);
  if (isFar !== isCatchingUp) trace(replica, isFar ? "catching up" : "caught up");
  replica.isCatchingUp = isFar;
}
