import { newBlock } from "@/core/consensus/block.ts";
import type { Durable } from "@/core/consensus/durable.ts";
import type { Effect } from "@/core/consensus/events.ts";
import { leaderOf } from "@/core/consensus/quorum.ts";
import { seal } from "@/core/consensus/signatures.ts";
import { Cluster, type Envelope } from "./replica-cluster.ts";
import { Words } from "./story-words.ts";

/**
 * A story: lines that say what happens, and below each, indented, what the replicas did because of it.
 * Replicas answer themselves and their disk at once; everything else waits in the network until the
 * story delivers or loses it. `#` begins a comment. The lines:
 *
 *   4 nodes                          or `4 nodes, spans of 2`; comes first
 *   all reach view 6                 blocks are committed until everybody is there; not told
 *   2 gets a transaction             `all get a transaction`: the same one
 *   1 gets Vote(B6) from 0           without `from`: from whoever has sent it
 *   all get Proposal(B6)             all to whom it was sent
 *   everything arrives               and what follows from it, until nothing is on its way
 *   Prepare(B6) to 0 3 is lost       `is lost`: to all; `everything is lost`
 *   300 ms pass                      timers fire, nothing arrives
 *   2 dies                           `2 dies before it sends`: after its next write
 *   2 restarts                       `with a torn record`, `with a rotten record`
 *   8 proposes another block         the leader of view 8 does
 *   0 gets Prepare(B3) again         what was sent to it once
 */
export function replay(text: string): string {
  let story: Story | null = null;
  const told: string[] = [];
  for (const line of text.split("\n")) {
    if (line.startsWith("  ")) continue;
    told.push(line);
    if (line === "" || line.startsWith("#")) continue;
    if (story === null) story = begin(line);
    else told.push(...story.play(line));
  }
  return told.join("\n");
}

function begin(line: string): Story {
  const [, nodes, period] = /^(\d+) nodes?(?:, spans of (\d+))?$/.exec(line) ?? [];
  if (nodes === undefined) throw new Error(`a story begins with its nodes, not with: ${line}`);
  return new Story(Number(nodes), Number(period ?? 1));
}

type Play = (story: Story, found: RegExpExecArray) => void;

/** The language: the first pattern that fits a line plays it. */
const LINES: readonly (readonly [RegExp, Play])[] = [
  [/^all reach view (\d+)$/, (story, [, view]) => story.reach(Number(view))],
  [/^(all|\d+) gets? a transaction$/, (story, [, who]) => story.order(who ?? "all")],
  [/^everything arrives$/, (story) => story.arriveAll()],
  [/^(.+?)(?: to ([\d ]+))? is lost$/, (story, [, what, to]) => story.lose(what ?? "", to)],
  [/^(\d+) ms pass$/, (story, [, ms]) => story.pass(Number(ms))],
  [/^(\d+) dies$/, (story, [, who]) => story.die(Number(who))],
  [/^(\d+) dies before it sends$/, (story, [, who]) => story.doom(Number(who))],
  [
    /^(\d+) restarts(?: with a (torn|rotten) record)?$/,
    (story, [, who, how]) => story.restart(Number(who), how),
  ],
  [/^(\d+) proposes another block$/, (story, [, view]) => story.equivocate(Number(view))],
  [/^(\d+) gets (.+) again$/, (story, [, who, what]) => story.repeat(Number(who), what ?? "")],
  [
    /^(all|[\d ]+) gets? (.+?)(?: from (\d+))?$/,
    (story, [, to, what, from]) => story.arrive(what ?? "", to ?? "all", from),
  ],
];

class Story {
  readonly #cluster: Cluster;
  readonly #words: Words;
  readonly #sent: Envelope[] = [];
  readonly #records = new Map<number, Durable[]>();
  readonly #doomed = new Set<number>();
  readonly #down = new Set<number>();
  #told = new Map<number, string[]>();
  #txs = 0;

  constructor(nodes: number, syncPeriod: number) {
    this.#cluster = new Cluster(nodes, { syncPeriod });
    this.#words = new Words((key) => this.#cluster.indexOf(key));
    this.#cluster.passes = (envelope) => {
      this.#sent.push(envelope);
      return envelope.message.type !== "status" && !this.#down.has(envelope.to);
    };
    for (const at of this.#cluster.hosts.keys()) this.#listen(at);
    this.#cluster.start();
  }

  play(line: string): string[] {
    this.#told = new Map();
    for (const [pattern, play] of LINES) {
      const found = pattern.exec(line);
      if (found === null) continue;
      play(this, found);
      return this.#tell();
    }
    throw new Error(`nobody understands: ${line}`);
  }

  reach(view: number): void {
    while (this.#cluster.host(0).replica.view < view) {
      this.#cluster.submit(this.#newTx());
      this.#cluster.settle();
    }
    this.#told = new Map();
  }

  order(who: string): void {
    const tx = this.#newTx();
    for (const at of this.#nodes(who)) {
      this.#cluster.host(at).mempool.push(tx);
      this.#cluster.tellWork(at);
    }
  }

  arriveAll(): void {
    this.#cluster.settle();
  }

  arrive(what: string, to: string, from: string | undefined): void {
    const receivers = this.#nodes(to);
    const arriving = this.#take(
      (one) =>
        this.#words.label(one.message) === what &&
        receivers.includes(one.to) &&
        (from === undefined || one.from === Number(from)),
    );
    if (arriving.length === 0) throw new Error(`no ${what} is on its way to ${to}`);
    for (const envelope of arriving) this.#cluster.deliver(envelope);
  }

  lose(what: string, to: string | undefined): void {
    const receivers = this.#nodes(to ?? "all");
    const isIt = ({ message }: Envelope) =>
      what === "everything" || this.#words.label(message) === what;
    const lost = this.#take((one) => isIt(one) && receivers.includes(one.to));
    if (lost.length === 0) throw new Error(`no ${what} is on its way`);
  }

  pass(ms: number): void {
    this.#cluster.pass(ms);
  }

  die(at: number): void {
    this.#down.add(at);
    this.#cluster.host(at).timers.clear();
    this.#take(({ to }) => to === at);
  }

  doom(at: number): void {
    this.#doomed.add(at);
  }

  restart(at: number, how: string | undefined): void {
    const host = this.#cluster.host(at);
    this.#down.delete(at);
    host.state = null;
    host.timers.clear();
    if (how === "torn") host.durable = this.#records.get(at)?.at(-2) ?? host.durable;
    if (how === "rotten") host.durable = null;
    this.#cluster.give(at, host.boot);
  }

  /** The same block a millisecond later, sealed by the same leader, to everybody. */
  equivocate(view: number): void {
    const { committee, hosts } = this.#cluster;
    const from = leaderOf(committee, view);
    const first = this.#sent.find(
      ({ message }) => message.type === "proposal" && message.block.header.view === view,
    )?.message;
    if (first?.type !== "proposal") throw new Error(`nobody has proposed in view ${view}`);
    const { header, payload } = first.block;
    const block = newBlock({ ...header, timestampMs: header.timestampMs + 1 }, payload);
    this.#words.name(block);
    const message = seal({ ...first, block }, this.#cluster.host(from).signer);
    for (const to of hosts.keys())
      if (to !== from && !this.#down.has(to)) this.#cluster.inFlight.push({ from, to, message });
  }

  repeat(at: number, what: string): void {
    const sent = this.#sent.find(
      ({ to, message }) => to === at && this.#words.label(message) === what,
    );
    if (!sent) throw new Error(`${what} was never sent to ${at}`);
    this.#cluster.deliver(sent);
  }

  #newTx(): Uint8Array {
    return Uint8Array.of(++this.#txs);
  }

  #nodes(who: string): readonly number[] {
    const all = [...this.#cluster.hosts.keys()].filter((at) => !this.#down.has(at));
    return who === "all" ? all : who.trim().split(" ").map(Number);
  }

  #take(isTaken: (envelope: Envelope) => boolean): readonly Envelope[] {
    const { inFlight } = this.#cluster;
    this.#cluster.inFlight = inFlight.filter((one) => !isTaken(one));
    return inFlight.filter(isTaken);
  }

  /** Hears what each step of a replica does. */
  #listen(at: number): void {
    const host = this.#cluster.host(at);
    const step = host.step.bind(host);
    host.step = (event) => {
      if (this.#down.has(at)) return [];
      const { view = 0, status = "idle" } = host.state?.replica ?? {};
      const lock = host.durable?.lock;
      const effects = step(event);
      this.#nameBlocks(effects);
      this.#hear(at, [
        ...this.#words.changes({ view, status, lock }, host.replica),
        ...effects.flatMap((effect) => this.#words.effect(effect) ?? []),
      ]);
      this.#keepRecords(at, effects);
      return this.#doomed.has(at) ? this.#interrupt(at, effects) : effects;
    };
  }

  #keepRecords(at: number, effects: readonly Effect[]): void {
    const records = this.#records.get(at) ?? [];
    const written = effects.flatMap((effect) => (effect.type === "persist" ? effect.durable : []));
    this.#records.set(at, [...records, ...written].slice(-2));
  }

  #nameBlocks(effects: readonly Effect[]): void {
    for (const effect of effects) if (effect.type === "store_block") this.#words.name(effect.block);
  }

  /** What is written stays; what should have been sent is not. */
  #interrupt(at: number, effects: readonly Effect[]): readonly Effect[] {
    if (!effects.some(({ type }) => type === "send")) return effects;
    this.#doomed.delete(at);
    this.#hear(at, ["dies before it sends that"]);
    this.die(at);
    return effects.filter(({ type }) => type === "persist" || type === "store_block");
  }

  #hear(at: number, what: readonly string[]): void {
    this.#told.set(at, [...(this.#told.get(at) ?? []), ...what]);
  }

  /** Who did the same is told of together. */
  #tell(): string[] {
    const groups = new Map<string, number[]>();
    for (const [at, what] of [...this.#told].sort(([a], [b]) => a - b)) {
      const text = what.join("; ");
      if (text) groups.set(text, [...(groups.get(text) ?? []), at]);
    }
    return [...groups].flatMap(([text, nodes]) => wrapped(`  ${nodes.join(" ")}: ${text}`));
  }
}

/** Lines of at most 100 columns, broken between what is separated by semicolons. */
function wrapped(text: string): string[] {
  const lines: string[] = [];
  for (const part of text.split(/(?<=;) /)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + part.length < 100)
      lines[lines.length - 1] = `${last} ${part}`;
    else lines.push(last === undefined ? part : `     ${part}`);
  }
  return lines;
}
