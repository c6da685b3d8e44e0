import { newBlock } from "@/core/consensus/block.ts";
import { bitmapOf, signersOf } from "@/core/consensus/certificates.ts";
import type { Message } from "@/core/consensus/messages.ts";
import type { Cert, EpochProof, Hash, Sig, TC } from "@/core/consensus/types.ts";
import { newTx } from "./application.ts";
import { signVote } from "./coven.ts";
import type { Stream } from "./dice.ts";
import type { Traitor, TrickCode } from "./traitor.ts";

/** Certificates that are old, hidden or false. */

function asMessage(stream: Stream, cert: Cert): Message {
  return { type: cert.kind === "C" || stream.chance(0.1) ? "decide" : "prepare", cert };
}

function releaseOld(traitor: Traitor): void {
  const { coven, stream } = traitor;
  if (coven.certs.length > 0)
    traitor.say(traitor.some(), asMessage(stream, stream.pick(coven.certs)));
}

function formHidden(traitor: Traitor): void {
  const { committee, coven, stream } = traitor;
  const cert = committee && coven.completeAny(committee, stream.chance(0.6) ? "P" : "C");
  if (!cert) return;
  const few = stream.chance(0.6) ? [traitor.one()] : traitor.some();
  const ms = stream.next() * 3 * traitor.host.config.timeoutMs;
  traitor.sayAfter(stream.chance(0.5) ? 0 : ms, few, asMessage(stream, cert));
}

/** Every way in which a certificate can be false. */
function forged(traitor: Traitor, cert: Cert): Cert {
  const { stream, committee } = traitor;
  const n = committee?.validators.length ?? 1;
  const signers = [...signersOf(cert.bitmap)];
  const first = cert.sigs[0] ?? (new Uint8Array(64) as Sig);
  const fewer = cert.sigs.slice(1);
  return stream.pick<Cert>([
    { ...cert, kind: cert.kind === "P" ? "C" : "P" },
    { ...cert, view: cert.view + 1 + stream.int(5) },
    { ...cert, epoch: cert.epoch + 1 },
    { ...cert, block: "fa".repeat(32) as Hash },
    { ...cert, height: cert.height + 1 },
    { ...cert, bitmap: bitmapOf(signers.slice(1), n), sigs: fewer },
    { ...cert, sigs: [first, ...fewer.slice(1), first] },
    { ...cert, sigs: fewer },
    { ...cert, bitmap: bitmapOf([...signers.slice(1), n + 3], n + 8) },
    {
      ...cert,
      bitmap: bitmapOf(
        Array.from({ length: n }, (_, at) => at),
        n,
      ),
    },
    { ...cert, bitmap: bitmapOf([], n), sigs: [] },
    { ...cert, view: cert.view + 1, bitmap: bitmapOf([], n) },
    { ...cert, view: 0, bitmap: new Uint8Array(0), sigs: [] },
    {
      ...cert,
      view: cert.view + 1,
      bitmap: bitmapOf(signers, n),
      sigs: signers.map(() => first),
    },
  ]);
}

/** What the liar alone has signed, as often as it takes. */
function aloneCert(traitor: Traitor, cert: Cert): Cert {
  const view = cert.view + 1 + traitor.stream.int(2);
  const vote = signVote(traitor.lair.pen, {
    ...cert,
    type: "vote",
    view,
    signer: traitor.index,
  });
  const n = traitor.committee?.validators.length ?? 1;
  return {
    ...cert,
    view,
    bitmap: bitmapOf([traitor.index], n),
    sigs: cert.sigs.map(() => vote.sig),
  };
}

function forgeCertificates(traitor: Traitor): void {
  const { coven, stream } = traitor;
  if (coven.certs.length === 0) return;
  const model = stream.pick(coven.certs.slice(-8));
  const isAlone = traitor.index >= 0 && stream.chance(0.2);
  const cert = isAlone ? aloneCert(traitor, model) : forged(traitor, model);
  const messages = coven.messages.filter(({ type }) => type === "proposal" || type === "wish");
  const carrier = messages.length > 0 ? stream.pick(messages) : undefined;
  traitor.say(traitor.some(), smuggled(stream, cert, carrier));
}

function smuggled(stream: Stream, cert: Cert, carrier: Message | undefined): Message {
  if (carrier?.type === "proposal" && stream.chance(0.5))
    return stream.chance(0.5) ? { ...carrier, justify: cert } : { ...carrier, commit: cert };
  if (carrier?.type === "wish" && stream.chance(0.5)) return { ...carrier, highCert: cert };
  return asMessage(stream, cert);
}

/** A timeout certificate some of whose wishes are below its view, or are nobody's. */
export function falseTC(traitor: Traitor, tc: TC): TC {
  const [first] = tc.entries;
  const spoiled = first ? [{ ...first, wishView: tc.view + 2 }, ...tc.entries.slice(1)] : [];
  return traitor.stream.pick<TC>([
    { ...tc, view: tc.view + 1 },
    { ...tc, view: tc.view + 50 },
    { ...tc, entries: tc.entries.slice(1) },
    { ...tc, entries: tc.entries.map((entry) => ({ ...entry, ...first })) },
    { ...tc, entries: spoiled },
    { ...tc, epoch: tc.epoch + 1 },
  ]);
}

function replay(traitor: Traitor): void {
  const { coven, stream } = traitor;
  for (let count = 0; count < 3 && coven.messages.length > 0; count++)
    traitor.say(traitor.some(), stream.pick(coven.messages));
}

/** A proposal of somebody else, with another body or certificate: its signature covers neither. */
function exchangeBody(traitor: Traitor): void {
  const { coven, stream, view } = traitor;
  const genuine = coven.messages.findLast(
    (message) => message.type === "proposal" && message.block.header.view >= view,
  );
  if (genuine?.type !== "proposal") return;
  const { block } = genuine;
  const validUntilMs = block.header.timestampMs + 60_000;
  const tx = newTx({ id: 2_000_000 + stream.int(1_000), validUntilMs, members: null });
  const inline = stream.chance(0.5) ? [tx] : [];
  const other = stream.chance(0.3) ? coven.certs.at(-1) : undefined;
  const said = { ...genuine, block: { ...block, payload: { inline, batches: [] } } };
  const to = stream.chance(0.5) ? traitor.lair.others : traitor.some();
  traitor.say(to, other ? { ...genuine, justify: other } : said);
}

/** Blocks nobody asked for, that lead nowhere or are not what their hash says. */
function falseBlocks(traitor: Traitor): void {
  const { coven, stream } = traitor;
  const blocks = [...coven.blocks.values()];
  if (blocks.length === 0) return;
  const block = stream.pick(blocks);
  const orphan = newBlock(
    { ...block.header, parent: `0${stream.int(10)}`.repeat(32) as Hash },
    block.payload,
  );
  const lie = { ...block, payload: { inline: [new Uint8Array(30)], batches: [] } };
  const cert = coven.certs.find((one) => one.kind === "C") ?? null;
  traitor.say(traitor.some(), {
    type: "blocks",
    blocks: [stream.pick([orphan, lie, block])],
    cert,
  });
}

function falseProofs(traitor: Traitor): void {
  const { coven, stream, committee } = traitor;
  const cert = coven.certs.findLast(({ kind }) => kind === "C");
  const block = cert && coven.blocks.get(cert.block);
  if (!cert || !block || !committee) return;
  const header = stream.chance(0.5)
    ? block.header
    : { ...block.header, nextValidatorsHash: "ab".repeat(32) as Hash };
  const validators = stream.chance(0.5) ? [traitor.host.key] : committee.validators;
  const proof: EpochProof = { headers: [header], cert, validators };
  traitor.say(traitor.some(), { type: "epoch_proofs", proofs: [proof] });
}

export const FORGERIES = {
  release_old_certificates: { act: releaseOld },
  form_hidden_certificates: { act: formHidden },
  forge_certificates: { act: forgeCertificates },
  replay: { act: replay },
  exchange_body: { act: exchangeBody },
  false_blocks: { act: falseBlocks },
  false_epoch_proofs: { act: falseProofs },
} as const satisfies Record<string, TrickCode>;
