import { newBlock, sumUp } from "@/core/consensus/block.ts";
import { genesisCert } from "@/core/consensus/certificates.ts";
import type { Message } from "@/core/consensus/messages.ts";
import { leaderOf } from "@/core/consensus/quorum.ts";
import type { Cert, Header, Payload, Tx } from "@/core/consensus/types.ts";
import { newTx, VALID_MS } from "./application.ts";
import { signVote } from "./coven.ts";
import { describeCert } from "./journal.ts";
import { after, type Command, numbers, type Story } from "./story-teller.ts";
import { isPicked, readPicked } from "./story-wires.ts";

/** What liars do in a story: they sign with their own pens whatever it says. */
export const LIAR_COMMANDS: Readonly<Record<string, Command>> = {
  /** `mute 3`: its replica is stopped; from now on only the story speaks for this liar. */
  mute({ world }, [id]) {
    world.host(Number(id)).crash(0);
    world.wires = world.wires.filter(({ from }) => from !== Number(id));
  },
  /**
   * `block X view 6 on C5 [parent Y] [height 9] [ahead 5000] [txs 1] [holds 7@0,8@-1] [final]`: holds
   * transactions 7 and 8, that are valid until its time, and until a millisecond before.
   */
  block(story, [name = "", ...words]) {
    const { world } = story;
    const justify = story.cert(after(words, "on") ?? "C0");
    const view = Number(after(words, "view"));
    const parent = story.block(after(words, "parent") ?? world.nameOf(justify.block)).header;
    const count = Number(after(words, "txs") ?? 0);
    const timestampMs =
      Math.max(parent.timestampMs + 1, world.host(0).now) + Number(after(words, "ahead") ?? 0);
    const held = (after(words, "holds") ?? "").split(",").filter((one) => one !== "");
    const payload: Payload = {
      inline: [
        ...Array.from({ length: count }, () => privateTx(story)),
        ...held.map((one) => heldTx(one, timestampMs)),
      ],
      batches: [],
    };
    const header: Header = {
      ...parent,
      epoch: justify.epoch,
      view,
      height: Number(after(words, "height") ?? justify.height + 1),
      parent: after(words, "parent")
        ? story.block(after(words, "parent") ?? "").hash
        : justify.block,
      justifyView: justify.view,
      proposer: leaderOf(world.committee, view),
      timestampMs,
      ...sumUp(payload),
      nextValidatorsHash: words.includes("final") ? ("ab".repeat(32) as never) : null,
      closing: null,
    };
    const block = newBlock(header, payload);
    story.blocks.set(name, block);
    world.names.set(block.hash, name);
    story.certs.set(`on ${name}`, justify);
  },
  /** `propose X to 0,1 [entry TC7] [by 3]`: its leader signs it and tells these. */
  propose(story, [name = "", ...words]) {
    const block = story.block(name);
    const { epoch, view, proposer } = block.header;
    const by = Number(after(words, "by") ?? proposer);
    const { world } = story;
    const sig = world
      .pen(world.host(by).key)
      .sign({ type: "proposed", epoch, view, block: block.hash });
    const entry = after(words, "entry");
    story.say(by, numbers(after(words, "to")), {
      type: "proposal",
      block,
      justify: story.certs.get(`on ${name}`) ?? story.cert(`C${block.header.justifyView}`),
      commit: null,
      entry: entry ? (story.tcs.get(entry) ?? null) : null,
      sig,
    });
  },
  /** `vote X by 3 to 2 [justify 1] [commit]`: a signed vote, or with `commit` a commit vote. */
  vote(story, [name = "", ...words]) {
    const { world } = story;
    const { hash, header } = story.block(name);
    for (const signer of numbers(after(words, "by"))) {
      const vote = signVote(world.pen(world.host(signer).key), {
        ...header,
        type: "vote",
        kind: words.includes("commit") ? "C" : "P",
        block: hash,
        justifyView: Number(after(words, "justify") ?? header.justifyView),
        signer,
      });
      story.say(signer, numbers(after(words, "to")), vote);
      world.coven.observe(vote);
    }
  },
  /** `combine C6 of X`: of all votes ever said, and those of the liars. */
  combine(story, [name = "", , block = ""]) {
    const { world } = story;
    const { hash, header } = story.block(block);
    const kind = name.startsWith("CC") ? "C" : "P";
    const committee =
      world.hosts.find(({ state }) => state)?.state?.replica.committee ?? world.committee;
    const cert = world.coven.complete(committee, { ...header, kind, block: hash });
    if (cert) story.certs.set(name, cert);
    world.tell(cert ? `${name} = ${describeCert(cert, (one) => world.nameOf(one))}` : "no quorum");
  },
  /** `show C6 from 3 to 0`: a certificate, as Prepare or Decide. */
  show(story, [name = "", ...words]) {
    const from = Number(after(words, "from"));
    const tc = story.tcs.get(name);
    const cert = tc ? null : story.cert(name);
    const message: Message = tc
      ? { type: "tc", tc }
      : { type: cert?.kind === "C" ? "decide" : "prepare", cert: cert as Cert };
    story.say(from, numbers(after(words, "to")), message);
  },
  /** `wish 7 by 3 to 0`. */
  wish(story, [view, ...words]) {
    const { world } = story;
    const by = Number(after(words, "by"));
    const epoch = world.committee.epoch;
    const wishView = Number(view);
    const sig = world.pen(world.host(by).key).sign({ type: "wish", epoch, wishView });
    const highCert = genesisCert(world.committee, "P");
    story.say(by, numbers(after(words, "to")), {
      type: "wish",
      epoch,
      wishView,
      commitView: 0,
      highCert,
      highTC: null,
      signer: by,
      sig,
    });
  },
  /** `greet 3 by 2 to 3`: a NewView that knows of nothing. */
  greet(story, [view, ...words]) {
    const { committee, genesis } = story.world;
    const signer = Number(after(words, "by"));
    story.say(signer, numbers(after(words, "to")), {
      type: "new_view",
      epoch: committee.epoch,
      view: Number(view),
      highCert: genesisCert(committee, "P"),
      highHeader: genesis.header,
      commit: genesisCert(committee, "C"),
      entry: null,
      signer,
    });
  },
  /** `gather TC7 from the wishes of 0,1,3`: of the last wish each of them sent. */
  gather(story, [name = "", ...words]) {
    const { coven } = story.world;
    const entries = numbers(words.at(-1)).flatMap((signer) => {
      const wish = coven.messages.findLast((one) => one.type === "wish" && one.signer === signer);
      return wish?.type === "wish" ? [{ signer, wishView: wish.wishView, sig: wish.sig }] : [];
    });
    const view = Number(name.slice(2));
    story.tcs.set(name, { epoch: story.world.committee.epoch, view, entries });
  },
  /** `again vote from 1 to 2 [view 1]`: the first message of that type from there, once more. */
  again(story, [type = "", ...words]) {
    const from = Number(after(words, "from"));
    const picked = { ...readPicked([type, ...words]), from: null, to: null };
    const { messages } = story.world.coven;
    const message = messages.find(
      (one) => isPicked(picked, { from, to: 0, message: one }) && isSaidBy(one, from),
    );
    if (!message) throw new Error(`${from} never said a ${type}`);
    story.say(from, numbers(after(words, "to")), message);
  },
};

/** One that nobody else knows. */
function privateTx(story: Story): Tx {
  const validUntilMs = story.world.host(0).now + VALID_MS / 2;
  return newTx({ id: ++story.txs, validUntilMs, members: null });
}

/** `7@-1`: transaction 7, valid until a millisecond before that time. */
function heldTx(words: string, timestampMs: number): Tx {
  const [id = 0, until = 0] = words.split("@").map(Number);
  return newTx({ id, validUntilMs: timestampMs + until, members: null });
}

function isSaidBy(message: Message, id: number): boolean {
  if ("signer" in message) return message.signer === id;
  return message.type !== "proposal" || message.block.header.proposer === id;
}
