const HEADER_BYTES = 9;
/** What a client says before its first frame. */
const PREFACE_BYTES = 24;
const BURST_SECONDS = 10;
/** Frames that carry nothing of a call are worth more of the budget: floods are made of them. */
const CONTROL_COST = 3;
const DATA = 0;
const HEADERS = 1;
/** A piece of data or of a header this small is taken for no work at all. */
const SMALL_BYTES = 2;

/**
 * Counts the frames a connection sends, by their nine-byte headers alone: whatever is inside of them is
 * for others to judge. A flood of SETTINGS, PING, RST_STREAM or CONTINUATION is seen here before it
 * costs anything.
 */
export class FrameBudget {
  readonly #perSecond: number;
  #tokens: number;
  #atMs: number;
  #skip = PREFACE_BYTES;
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;

  /** So many a second, and ten times that at once. */
  constructor(framesPerSecond: number, nowMs: number) {
    this.#perSecond = framesPerSecond;
    this.#tokens = framesPerSecond * BURST_SECONDS;
    this.#atMs = nowMs;
  }

  /** Whether these bytes are within the budget. */
  spend(bytes: Uint8Array, nowMs: number): boolean {
    const grown = this.#tokens + ((nowMs - this.#atMs) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#perSecond * BURST_SECONDS, grown);
    this.#atMs = nowMs;
    let at = 0;
    while (at < bytes.length) {
      const skipped = Math.min(this.#skip, bytes.length - at);
      this.#skip -= skipped;
      at += skipped;
      while (this.#skip === 0 && at < bytes.length) {
        this.#header[this.#headerBytes++] = bytes[at++] ?? 0;
        if (this.#headerBytes === HEADER_BYTES) this.#begin();
      }
    }
    return this.#tokens >= 0;
  }

  /** A frame begins: it is paid for, and its payload will be passed over. */
  #begin(): void {
    const [high = 0, middle = 0, low = 0, type = 0] = this.#header;
    const length = high * 65_536 + middle * 256 + low;
    const isWork = (type === DATA || type === HEADERS) && length > SMALL_BYTES;
    this.#tokens -= isWork ? 1 : CONTROL_COST;
    this.#skip = length;
    this.#headerBytes = 0;
  }
}
