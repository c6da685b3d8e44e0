import { genesisCert } from "@/core/consensus/certificates.ts";
import type { Message } from "@/core/consensus/messages.ts";
import type { Block, Cert, TC } from "@/core/consensus/types.ts";
import type { Core } from "./core.ts";
import type { Bugs } from "./simulation.ts";
import type { StoryWorld } from "./story-world.ts";

/** What a line of a story does. */
export type Command = (story: Story, words: readonly string[]) => void;

/** A story that is being told. */
export class Story {
  readonly core: Core;
  readonly bugs: Bugs;
  readonly blocks = new Map<string, Block>();
  readonly certs = new Map<string, Cert>();
  readonly tcs = new Map<string, TC>();
  #world: StoryWorld | null = null;
  /** Told no further: a promise was broken. */
  isBroken = false;
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

/** `0,1,3` as numbers. */
export function numbers(text = ""): readonly number[] {
  return text === "" ? [] : text.split(",").map(Number);
}

/** The word that follows this one. */
export function after(words: readonly string[], name: string): string | undefined {
  const at = words.indexOf(name);
  return at < 0 ? undefined : words[at + 1];
}
