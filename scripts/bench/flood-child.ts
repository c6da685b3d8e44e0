import type { Socket } from "bun";

/** What is asked, how often, and for how long. */
export interface Flood {
  readonly port: number;
  readonly request: string;
  readonly forMs: number;
  /** So many a second, answered or not; undefined: each connection asks again once it is answered. */
  readonly perSecond: number | undefined;
}

/** What came of a flood. */
export interface Flooded {
  /** Answers with 200 within their deadline, a second. */
  readonly good: number;
  /** Answers of any other kind, a second. */
  readonly refused: number;
  /** What could not even be asked, because each connection waited for an answer, a second. */
  readonly unasked: number;
  /** How long the good ones took, in the middle and at most. */
  readonly middleMs: number;
  readonly mostMs: number;
  /** The share of one core the asking itself took. */
  readonly cpuShare: number;
}

/** After this long an answer is good for nobody. */
const DEADLINE_MS = 2_000;
const TICK_MS = 2;

/** Asks over kept connections of HTTP/1.1, as cheaply as it can: the server shares the machine. */
export async function openFlood({ connections }: { readonly connections: number }) {
  return {
    async run({ port, request, forMs, perSecond }: Flood): Promise<Flooded> {
      const crowd = new Crowd(connections, Buffer.from(request), perSecond);
      await crowd.connect(port);
      const [beganMs, cpu] = [performance.now(), process.cpuUsage()];
      let passedMs = 0;
      for (; passedMs < forMs; passedMs = performance.now() - beganMs) {
        crowd.askDue(passedMs);
        await Bun.sleep(TICK_MS);
      }
      const { user, system } = process.cpuUsage(cpu);
      crowd.end();
      return { ...crowd.figures(passedMs / 1000), cpuShare: (user + system) / 1000 / passedMs };
    },
  };
}

/** All the connections of a flood. */
class Crowd {
  readonly #idle: Asker[] = [];
  readonly #askers: readonly Asker[];
  readonly #perSecond: number | undefined;
  #due = 0;
  #unasked = 0;

  constructor(connections: number, request: Buffer, perSecond: number | undefined) {
    this.#perSecond = perSecond;
    const isEager = perSecond === undefined;
    this.#askers = Array.from(
      { length: connections },
      () => new Asker(request, { idle: this.#idle, isEager }),
    );
  }

  async connect(port: number): Promise<void> {
    await Promise.all(this.#askers.map((asker) => asker.connect(port)));
  }

  /** Asks what should have been asked by now, as far as there are idle connections. */
  askDue(passedMs: number): void {
    const until = ((this.#perSecond ?? 0) * passedMs) / 1000;
    const count = this.#perSecond === undefined ? this.#idle.length : until - this.#due;
    for (let left = Math.floor(count); left > 0; left--) {
      this.#due++;
      const asker = this.#idle.shift();
      if (asker) asker.ask();
      else this.#unasked++;
    }
  }

  end(): void {
    for (const asker of this.#askers) asker.end();
  }

  figures(seconds: number): Omit<Flooded, "cpuShare"> {
    const tookMs = this.#askers.flatMap((asker) => asker.tookMs).toSorted((a, b) => a - b);
    const refused = this.#askers.reduce((sum, asker) => sum + asker.refused, 0);
    return {
      good: tookMs.length / seconds,
      refused: refused / seconds,
      unasked: this.#unasked / seconds,
      middleMs: tookMs[tookMs.length >> 1] ?? Number.NaN,
      mostMs: tookMs.at(-1) ?? Number.NaN,
    };
  }
}

const HEAD_END = Buffer.from("\r\n\r\n");
const NOTHING = Buffer.alloc(0);

/** One connection: idle until it has to ask, then busy until the whole answer is there. */
class Asker {
  readonly tookMs: number[] = [];
  refused = 0;
  readonly #request: Buffer;
  readonly #idle: Asker[];
  /** Whether it asks again as soon as it is answered. */
  #isEager: boolean;
  #socket: Socket | undefined;
  #askedMs = 0;
  #head: Buffer = NOTHING;
  #missing = 0;
  #isGood = false;

  constructor(
    request: Buffer,
    { idle, isEager }: { readonly idle: Asker[]; readonly isEager: boolean },
  ) {
    this.#request = request;
    this.#idle = idle;
    this.#isEager = isEager;
  }

  async connect(port: number): Promise<void> {
    const hear = (_: Socket, bytes: Buffer): void => this.#hear(bytes);
    this.#socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data: hear } });
    this.#idle.push(this);
  }

  ask(): void {
    this.#askedMs = performance.now();
    this.#socket?.write(this.#request);
  }

  end(): void {
    this.#isEager = false;
    this.#socket?.end();
  }

  #hear(bytes: Buffer): void {
    if (this.#missing > 0) this.#missing -= bytes.length;
    else this.#begin(this.#head.length > 0 ? Buffer.concat([this.#head, bytes]) : bytes);
    if (this.#missing === 0 && this.#head.length === 0) this.#answered();
  }

  #answered(): void {
    const tookMs = performance.now() - this.#askedMs;
    if (this.#isGood && tookMs <= DEADLINE_MS) this.tookMs.push(tookMs);
    else this.refused++;
    if (this.#isEager) this.ask();
    else this.#idle.push(this);
  }

  /** The head, which may come in pieces, says how long the body is. */
  #begin(bytes: Buffer): void {
    const end = bytes.indexOf(HEAD_END);
    this.#head = end < 0 ? bytes : NOTHING;
    if (end < 0) return;
    const head = bytes.toString("latin1", 0, end);
    const length = /^content-length: (\d+)/im.exec(head)?.[1];
    if (length === undefined) throw new Error(head);
    this.#isGood = head.startsWith("HTTP/1.1 200");
    this.#missing = Number(length) - (bytes.length - end - HEAD_END.length);
  }
}
