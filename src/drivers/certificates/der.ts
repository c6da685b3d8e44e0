/** One element of DER: its tag, its content, and all of it. */
export class DerElement {
  readonly tag: number;
  readonly content: Uint8Array;
  readonly bytes: Uint8Array;

  constructor(bytes: Uint8Array, headLength: number) {
    this.tag = bytes[0] ?? 0;
    this.content = bytes.subarray(headLength);
    this.bytes = bytes;
  }

  /** Reads the elements inside. */
  reader(): DerReader {
    return DerReader.over(this.content);
  }
}

/** A content is never so long that its length takes more bytes. */
const LENGTH_BYTES_MAX = 3;

/** Reads element after element (X.690, the distinguished rules); throws RangeError at anything else. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  static over(bytes: Uint8Array): DerReader {
    return new DerReader(bytes);
  }

  private constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get isDone(): boolean {
    return this.#at === this.#bytes.length;
  }

  /** The next element, of this tag when one is named. */
  next(tag?: number): DerElement {
    const start = this.#at;
    const found = this.#byteAt(start);
    if (tag !== undefined && found !== tag) throw new RangeError(`tag ${found}, not ${tag}`);
    if ((found & 0x1f) === 0x1f) throw new RangeError("a tag of several bytes");
    const { headLength, length } = this.#lengthAt(start + 1);
    const end = start + headLength + length;
    if (end > this.#bytes.length) throw new RangeError("it ends too soon");
    this.#at = end;
    return new DerElement(this.#bytes.subarray(start, end), headLength);
  }

  /** The one element there is. */
  only(tag: number): DerElement {
    const element = this.next(tag);
    if (!this.isDone) throw new RangeError("more than one element");
    return element;
  }

  /** Passes over the next element if it has this tag. */
  skip(tag: number): void {
    if (!this.isDone && this.#byteAt(this.#at) === tag) this.next();
  }

  /** All elements that are left. */
  rest(): DerElement[] {
    const elements: DerElement[] = [];
    while (!this.isDone) elements.push(this.next());
    return elements;
  }

  #lengthAt(at: number): { readonly headLength: number; readonly length: number } {
    const first = this.#byteAt(at);
    if (first < 0x80) return { headLength: 2, length: first };
    const count = first - 0x80;
    if (count === 0 || count > LENGTH_BYTES_MAX) throw new RangeError("a length that is none");
    let length = 0;
    for (let more = 1; more <= count; more++) length = length * 256 + this.#byteAt(at + more);
    const isShortest = length >= 0x80 && length >= 256 ** (count - 1);
    if (!isShortest) throw new RangeError("a length that is longer than it must be");
    return { headLength: 2 + count, length };
  }

  #byteAt(at: number): number {
    const byte = this.#bytes[at];
    if (byte === undefined) throw new RangeError("it ends too soon");
    return byte;
  }
}
