import type { Message } from "@/core/consensus/messages.ts";

/** A message that has left and has not arrived. */
export interface Wire {
  readonly from: number;
  readonly to: number;
  readonly message: Message;
}

/** What a command picks out of the wires: `vote,commit from 0 to 1,2 view 6`. */
export interface Picked {
  readonly types: readonly string[];
  readonly from: readonly number[] | null;
  readonly to: readonly number[] | null;
  readonly view: number | null;
}

/** Types as stories call them. */
export function typeOf(message: Message): string {
  if (message.type === "vote") return message.kind === "P" ? "vote" : "commit";
  return message.type;
}

/** The view a message speaks of, 0 when of none. */
export function viewOf(message: Message): number {
  switch (message.type) {
    case "proposal":
      return message.block.header.view;
    case "vote":
    case "new_view":
      return message.view;
    case "wish":
      return message.wishView;
    case "prepare":
    case "decide":
      return message.cert.view;
    case "tc":
      return message.tc.view;
    default:
      return 0;
  }
}

/** Reads what is picked; the words after `from`, `to` and `view` are numbers with commas. */
export function readPicked(words: readonly string[]): Picked {
  const after = (name: string): string | undefined => {
    const at = words.indexOf(name);
    return at < 0 ? undefined : words[at + 1];
  };
  const numbers = (text: string | undefined): readonly number[] | null =>
    text === undefined ? null : text.split(",").map(Number);
  const [first = ""] = words;
  const isNamed = first !== "" && !["from", "to", "view"].includes(first);
  return {
    types: isNamed ? first.split(",") : [],
    from: numbers(after("from")),
    to: numbers(after("to")),
    view: after("view") === undefined ? null : Number(after("view")),
  };
}

/** Whether a wire is picked; Status only when it is named. */
export function isPicked({ types, from, to, view }: Picked, wire: Wire): boolean {
  const type = typeOf(wire.message);
  const isType = types.length === 0 ? type !== "status" : types.includes(type);
  return (
    isType &&
    (from?.includes(wire.from) ?? true) &&
    (to?.includes(wire.to) ?? true) &&
    (view === null || view === viewOf(wire.message))
  );
}
