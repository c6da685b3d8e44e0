import { dlopen, ptr } from "bun:ffi";
import { rmSync } from "node:fs";

const { symbols: libc } = dlopen("libc.so.6", {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  bind: { args: ["i32", "ptr", "u32"], returns: "i32" },
  recv: { args: ["i32", "ptr", "u64", "i32"], returns: "i64" },
  close: { args: ["i32"], returns: "i32" },
});
const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

/** The end of a notification socket that systemd holds: real datagrams, taken when a test asks. */
export class NotifyEnd implements Disposable {
  readonly name: string;
  readonly #descriptor: number;

  /** `name` is a path, or `@` and an abstract name. */
  constructor(name: string) {
    this.name = name;
    this.#descriptor = libc.socket(AF_UNIX, SOCK_DGRAM, 0);
    const bytes = Buffer.from(name.startsWith("@") ? `\0${name.slice(1)}` : `${name}\0`);
    const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), bytes]);
    if (libc.bind(this.#descriptor, ptr(address), address.length) !== 0)
      throw new Error(`cannot listen on ${name}`);
  }

  /** Every message that has arrived since the last time. */
  taken(): string[] {
    const messages: string[] = [];
    for (;;) {
      const bytes = Buffer.alloc(4096);
      const length = libc.recv(this.#descriptor, ptr(bytes), 4096n, MSG_DONTWAIT);
      if (length < 0) return messages;
      messages.push(bytes.subarray(0, Number(length)).toString());
    }
  }

  [Symbol.dispose](): void {
    libc.close(this.#descriptor);
    if (this.name.startsWith("/")) rmSync(this.name, { force: true });
  }
}
