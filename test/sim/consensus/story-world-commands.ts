import type { Cert } from "@/core/consensus/types.ts";
import { newTx, VALID_MS } from "./application.ts";
import type { Host } from "./host.ts";
import { describeCert, describeMessage } from "./journal.ts";
import { after, type Command, numbers } from "./story-teller.ts";
import { isPicked, readPicked } from "./story-wires.ts";
import { StoryWorld } from "./story-world.ts";
import type { CrashPoint } from "./surroundings.ts";
import { Violation } from "./violation.ts";

/** Deliveries a single command may lead to. */
const DELIVERIES_MAX = 3_000;

/** What the world of a story does. */
export const WORLD_COMMANDS: Readonly<Record<string, Command>> = {
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
    do WORLD_COMMANDS["deliver"]?.(story, []);
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
  /** `executed 0 [1 …]`: which transactions replicas have executed, of the last ten minutes. */
  executed({ world }, ids) {
    for (const id of ids) {
      const { executed, height, root } = world.host(Number(id)).app;
      const txs = executed.size > 0 ? [...executed.keys()].join(" ") : "nothing";
      world.tell(`${id}: at ${height} ${txs}, root ${root.slice(0, 6)}`);
    }
  },
  /** `state 0 [1 …]`: where replicas are. */
  state({ world }, ids) {
    for (const id of ids) world.tell(describeHost(world, world.host(Number(id))));
  },
};

function describeHost(world: StoryWorld, { id, state, committed, timers, mempool }: Host): string {
  if (!state) return `${id}: down`;
  const { view, status, durable, halted, committee, me } = state.replica;
  const name = (cert: Cert): string => describeCert(cert, (hash) => world.nameOf(hash));
  const running = [...timers.keys()].filter((timer) => timer !== "status");
  const where = `${id}: epoch ${committee.epoch} view ${view}, ${status}`;
  return [
    me === null ? `${where}, without a vote` : where,
    `lock ${name(durable.lock)}, high ${name(durable.highCert)}`,
    `committed ${world.nameOf(committed.hash)} at ${committed.header.height}`,
    ...(mempool.size > 0 ? [`${mempool.size} txs`] : []),
    ...(running.length > 0 ? [`timers ${running.join(" ")}`] : []),
    ...(halted ? [`halted: ${halted}`] : []),
  ].join("; ");
}
