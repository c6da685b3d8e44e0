import { newBlock, sumUp } from "@/core/consensus/block.ts";
import { genesisCert } from "@/core/consensus/certificates.ts";
import { leaderOf } from "@/core/consensus/quorum.ts";
import type { Message } from "@/core/consensus/messages.ts";
import type { Block, Cert, Header, Payload, TC } from "@/core/consensus/types.ts";
import { newTx, VALID_MS } from "./application.ts";
import type { Core } from "./core.ts";
import { signVote } from "./coven.ts";
import { describeCert, describeMessage } from "./journal.ts";
import type { Bugs } from "./simulation.ts";
import { StoryWorld } from "./story-world.ts";
import { isPicked, readPicked } from "./story-wires.ts";
import type { CrashPoint } from "./surroundings.ts";
import { Violation } from "./violation.ts";

/** Deliveries a single command may lead to. */
const DELIVERIES_MAX = 3_000;

/**
 * A story as text: prose behind `#`, commands behind `>`, and below each command, indented by two,
 * what it led to. `tell` gives the same text with what really happens.
 */
export function tellStory(text: string, core: Core, bugs: Bugs = {}): string {
  const told: string[] = [];
  const story = new Story(core, bugs);
  for (const line of text.split("\n")) {
    if (line.startsWith("  ")) continue;
    told.push(line);
    if (line.startsWith("> ")) told.push(...story.run(line.slice(2)).map((said) => `  ${said}`));
  }
  return told.join("\n");
}

type Command = (story: Story, words: readonly string[]) => void;

/** A story that is being told. */
class Story {
  readonly core: Core;
  readonly bugs: Bugs;
  readonly blocks = new Map<string, Block>();
  readonly certs = new Map<string, Cert>();
  readonly tcs = new Map<string, TC>();
  #world: StoryWorld | null = null;
  #isBroken = false;
  txs = 0;

  constructor(core: Core, bugs: Bugs) {
    this.core = core;
    this.bugs = bugs;
  }

  get world(): StoryWorld {
    if (!this.#world) throw new Error("a story begins with `replicas`");
    return this.#world;
  }

  begin(world: StoryWorld): void {
    this.#world = world;
  }

  /** Does what a line says; what comes of it, a broken promise too, is what is told. */
  run(line: string): readonly string[] {
    if (this.#isBroken) return [];
    if (line.startsWith("quietly ")) return outcomesIn(this.run(line.slice("quietly ".length)));
    const [name = "", ...words] = line.trim().split(/\s+/);
    const command = COMMANDS[name];
    if (!command) throw new Error(`a story knows no "${name}"`);
    try {
      command(this, words);
      if (name !== "replicas") this.settle();
    } catch (thrown) {
      if (!(thrown instanceof Error)) throw thrown;
      if (!(thrown instanceof Violation) && thrown.name !== "AssertionError") throw thrown;
      this.#isBroken = true;
      this.world.tell(`BROKEN ${thrown.message}`);
    }
    return this.world.told.splice(0);
  }

  /** Everything that takes no time. */
  settle(): void {
    const { agenda } = this.world;
    while (agenda.step(agenda.now));
  }

  cert(name: string): Cert {
    const [, kind = "", view = ""] = /^(C+)(\d+)$/.exec(name) ?? [];
    const known = this.certs.get(name);
    if (known) return known;
    const { committee, coven } = this.world;
    const sort = kind === "CC" ? "C" : "P";
    if (view === "0") return genesisCert(committee, sort);
    const seen = coven.certs.find((cert) => cert.kind === sort && cert.view === Number(view));
    if (!seen) throw new Error(`nobody has seen ${name}`);
    return seen;
  }

  block(name: string): Block {
    const made = this.blocks.get(name);
    if (made) return made;
    const found = [...this.world.names].find(([, other]) => other === name)?.[0];
    const block = this.world.hosts.map(({ blocks }) => found && blocks.get(found)).find(Boolean);
    const seen = found && this.world.coven.blocks.get(found);
    if (!block && !seen) throw new Error(`there is no block ${name}`);
    return (block || seen) as Block;
  }

  say(from: number, to: readonly number[], message: Message): void {
    const host = this.world.host(from);
    for (const one of to) {
      const key = this.world.keys[one];
      if (key) this.world.carry(host, key, message);
    }
  }
}

function numbers(text = ""): readonly number[] {
  return text === "" ? [] : text.split(",").map(Number);
}

function after(words: readonly string[], name: string): string | undefined {
  const at = words.indexOf(name);
  return at < 0 ? undefined : words[at + 1];
}

const COMMANDS: Readonly<Record<string, Command>> = {
  /** `replicas 4 [liars 3] [observers 1] [extras 1] [E 2] [seed 0]`: all start. */
  replicas(story, words) {
    const world = new StoryWorld({
      core: story.core,
      bugs: story.bugs,
      n: Number(words[0]),
      observers: Number(after(words, "observers") ?? 0),
      extras: Number(after(words, "extras") ?? 0),
      liars: numbers(after(words, "liars")),
      syncPeriod: Number(after(words, "E") ?? 1),
      seed: Number(after(words, "seed") ?? 0),
    });
    story.begin(world);
    for (const host of world.hosts) host.boot();
    story.settle();
    world.wires = [];
    world.told = [];
  },
  /** `tx 2 [members 0,1,2]`: a client gives a transaction to a replica. */
  tx(story, [to, ...words]) {
    const { world } = story;
    const members = after(words, "members");
    const host = world.host(Number(to));
    const validUntilMs = host.now + VALID_MS / 2;
    const id = ++story.txs;
    host.admit(newTx({ id, validUntilMs, members: members ? numbers(members) : null }), true);
  },
  /** `deliver [TYPES] [from A] [to B] [view V]`: and what that leads to, if it is picked too. */
  deliver(story, words) {
    const picked = readPicked(words);
    const { world } = story;
    for (let count = 0; count < DELIVERIES_MAX; count++) {
      const at = world.wires.findIndex((wire) => isPicked(picked, wire));
      const [wire] = at < 0 ? [] : world.wires.splice(at, 1);
      if (!wire) return;
      const key = world.keys[wire.from];
      if (key) world.host(wire.to).receive(key, wire.message);
      story.settle();
    }
    throw new Violation("storm", "a story without an end");
  },
  /** `drop [TYPES] [from A] [to B] [view V]`: the network loses what is under way. */
  drop({ world }, words) {
    const picked = readPicked(words);
    const lost = world.wires.filter((wire) => isPicked(picked, wire));
    world.wires = world.wires.filter((wire) => !lost.includes(wire));
    world.tell(`lost: ${lost.length}`);
  },
  /** `wires`: what is under way. */
  wires({ world }) {
    for (const { from, to, message } of world.wires)
      if (message.type !== "status")
        world.tell(`${from} → ${to}: ${describeMessage(message, (hash) => world.nameOf(hash))}`);
  },
  /** `wait 1000`: time passes, in milliseconds, and timers fire. */
  wait({ world }, [ms]) {
    const until = world.agenda.now + Number(ms);
    while (world.agenda.step(until));
    world.agenda.now = until;
  },
  /** `run 3000`: as `wait`, and the network delivers everything at once. */
  run(story, [ms]) {
    const { world } = story;
    const until = world.agenda.now + Number(ms);
    do COMMANDS["deliver"]?.(story, []);
    while (world.agenda.step(until));
    world.agenda.now = until;
  },
  /** `crash 1 [before effect | before send | between sends | after sync [2]]`: now, or there, the third time. */
  crash({ world }, [id, first, second, skipped = "0"]) {
    const point = `${first} ${second}` as CrashPoint;
    if (first) world.crashPoints.set(Number(id), { point, left: Number(skipped) });
    else world.host(Number(id)).crash(0);
  },
  restart({ world }, [id]) {
    world.host(Number(id)).boot();
  },
  /** `disk 1 hold | go | rot | wipe`. */
  disk({ world }, [id, what]) {
    const at = Number(id);
    if (what === "hold") world.heldDisks.add(at);
    else if (what === "go") world.releaseDisk(at);
    else if (what === "rot") world.host(at).disk.rot();
    else if (what === "wipe") world.host(at).disk.wipe();
    else throw new Error("a disk is held, let go, rotten or wiped");
  },
  /** `clock 1 +5000`: it goes ahead by so much. */
  clock({ world }, [id, ms]) {
    world.clocks.set(Number(id), Number(ms));
  },
  /** `mute 3`: its replica is stopped; from now on only the story speaks for this liar. */
  mute({ world }, [id]) {
    world.host(Number(id)).crash(0);
    world.wires = world.wires.filter(({ from }) => from !== Number(id));
  },
  /** `block X view 6 on C5 [parent Y] [height 9] [ahead 5000] [txs 1] [final] [justify 3]`. */
  block(story, [name = "", ...words]) {
    const { world } = story;
    const justify = story.cert(after(words, "on") ?? "C0");
    const view = Number(after(words, "view"));
    const parent = story.block(after(words, "parent") ?? world.nameOf(justify.block)).header;
    const count = Number(after(words, "txs") ?? 0);
    const payload: Payload = { inline: Array.from({ length: count }, () => privateTx(story)), batches: [] };
    const header: Header = {
      ...parent,
      epoch: justify.epoch,
      view,
      height: Number(after(words, "height") ?? justify.height + 1),
      parent: after(words, "parent") ? story.block(after(words, "parent") ?? "").hash : justify.block,
      justifyView: justify.view,
      proposer: leaderOf(world.committee, view),
      timestampMs: Math.max(parent.timestampMs + 1, world.host(0).now) + Number(after(words, "ahead") ?? 0),
      ...sumUp(payload),
      nextValidatorsHash: words.includes("final") ? (("ab").repeat(32) as never) : null,
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
    const sig = world.pen(world.host(by).key).sign({ type: "proposed", epoch, view, block: block.hash });
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
    const committee = world.hosts.find(({ state }) => state)?.state?.replica.committee ?? world.committee;
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
  /** `state 0 [1 …]`: where replicas are. */
  state({ world }, ids) {
    for (const id of ids) {
      const { state, committed, timers, mempool } = world.host(Number(id));
      const name = (cert: Cert): string => describeCert(cert, (hash) => world.nameOf(hash));
      if (!state) world.tell(`${id}: down`);
      else {
        const { view, status, durable, halted, committee, me } = state.replica;
        const running = [...timers.keys()].filter((timer) => timer !== "status");
        world.tell(
          [
            `${id}: epoch ${committee.epoch} view ${view}, ${status}${me === null ? ", without a vote" : ""}`,
            `lock ${name(durable.lock)}, high ${name(durable.highCert)}`,
            `committed ${world.nameOf(committed.hash)} at ${committed.header.height}`,
            ...(mempool.size > 0 ? [`${mempool.size} txs`] : []),
            ...(running.length > 0 ? [`timers ${running.join(" ")}`] : []),
            ...(halted ? [`halted: ${halted}`] : []),
          ].join("; "),
        );
      }
    }
  },
};

function privateTx(story: Story) {
  const validUntilMs = story.world.host(0).now + VALID_MS / 2;
  return newTx({ id: ++story.txs, validUntilMs, members: null });
}

/** Only what cannot be taken back: commits, ends of epochs, evidence, alarms. */
function outcomesIn(told: readonly string[]): readonly string[] {
  let who = "";
  const outcomes: string[] = [];
  for (const line of told) {
    if (!line.startsWith(" ")) who = line.split(" ")[0] ?? "";
    if (/^ {4}(COMMIT|EPOCH|EVIDENCE|ALARM)/.test(line)) outcomes.push(`${who}: ${line.trim()}`);
    if (line.startsWith("BROKEN") || line.includes(" crashes ")) outcomes.push(line);
  }
  return outcomes;
}

function isSaidBy(message: Message, id: number): boolean {
  if ("signer" in message) return message.signer === id;
  return message.type !== "proposal" || message.block.header.proposer === id;
}
