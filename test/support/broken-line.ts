import type { Socket } from "bun";

/** A line to a unix socket that can be cut at the worst moment. */
export interface BrokenLine extends Disposable {
  /** Lets the next message with this text through, then swallows the answer and hangs up. */
  cutAfter(text: string): void;
  /** How many lines were cut. */
  readonly cuts: number;
}

interface Ends {
  peer?: Socket<Ends>;
  readonly early: Uint8Array[];
  isMuted: boolean;
}

/** Listens on one unix socket and forwards to another. */
export function brokenLine(from: string, to: string): BrokenLine {
  let cutAt: string | undefined;
  let cuts = 0;
  const server = Bun.listen<Ends>({
    unix: from,
    socket: {
      async open(caller) {
        caller.data = { early: [], isMuted: false };
        const peer = await connect(to, caller);
        for (const bytes of caller.data.early) peer.write(bytes);
        caller.data.peer = peer;
      },
      data(caller, bytes) {
        if (cutAt !== undefined && Buffer.from(bytes).includes(cutAt)) {
          cutAt = undefined;
          cuts++;
          caller.data.isMuted = true;
        }
        if (caller.data.peer) caller.data.peer.write(bytes);
        else caller.data.early.push(new Uint8Array(bytes));
      },
      close(caller) {
        caller.data.peer?.end();
      },
    },
  });
  return {
    cutAfter: (text) => {
      cutAt = text;
    },
    get cuts() {
      return cuts;
    },
    [Symbol.dispose]: () => server.stop(true),
  };
}

function connect(path: string, caller: Socket<Ends>): Promise<Socket<Ends>> {
  return Bun.connect<Ends>({
    unix: path,
    data: { early: [], isMuted: false },
    socket: {
      data(_, bytes) {
        if (caller.data.isMuted) caller.terminate();
        else caller.write(bytes);
      },
      close() {
        caller.end();
      },
    },
  });
}
