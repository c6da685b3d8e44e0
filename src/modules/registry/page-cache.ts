/** How many pages are kept. */
const PAGES_MAX = 16;

/** The newest pages as bytes, until anything they show changes. */
export class PageCache {
  readonly #pages = new Map<string, Uint8Array>();
  #generation = -1;

  /** The bytes of a page, made anew when something changed since. */
  page(generation: number, name: string, make: () => string): Uint8Array {
    if (generation !== this.#generation) this.#pages.clear();
    this.#generation = generation;
    const known = this.#pages.get(name);
    if (known) return known;
    const bytes = new TextEncoder().encode(make());
    if (this.#pages.size >= PAGES_MAX) this.#pages.clear();
    this.#pages.set(name, bytes);
    return bytes;
  }
}
