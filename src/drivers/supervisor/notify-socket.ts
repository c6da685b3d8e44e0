import { dlopen, type Library, ptr } from "bun:ffi";
import { utf8 } from "@/std/bytes.ts";

const LIBC = {
  socket: { args: ["i32", "i32", "i32"], returns: "i32" },
  sendto: { args: ["i32", "ptr", "u64", "i32", "ptr", "u32"], returns: "i64" },
  clock_gettime: { args: ["i32", "ptr"], returns: "i32" },
  close: { args: ["i32"], returns: "i32" },
} as const;
const AF_UNIX = 1;
const SOCK_DGRAM_CLOEXEC = 0x80002;
const DONTWAIT_NOSIGNAL = 0x4040;
const CLOCK_MONOTONIC = 1;
/** `sun_path` has room for so many bytes, the last of them 0 in a path. */
const NAME_BYTES_MAX = 107;

/**
 * The datagram socket systemd listens on. Bun has none of its own, so this asks the C library, which
 * wants the JIT: where memory must not be both written and executed, opening throws.
 */
export class NotifySocket implements Disposable {
  readonly #libc: Library<typeof LIBC>["symbols"];
  #descriptor: number;
  readonly #address: Uint8Array;

  /** `name` as in NOTIFY_SOCKET: a path, or `@` and an abstract name. */
  constructor(name: string) {
    this.#address = addressOf(name);
    this.#libc = dlopen("libc.so.6", LIBC).symbols;
    this.#descriptor = this.#libc.socket(AF_UNIX, SOCK_DGRAM_CLOEXEC, 0);
    if (this.#descriptor < 0) throw new Error("no socket can be opened");
  }

  /** Whether the message is on its way; false when the socket is full or gone. Never waits. */
  send(message: string): boolean {
    const bytes = utf8(message);
    const { length } = bytes;
    const address = this.#address;
    const sent = this.#libc.sendto(
      this.#descriptor,
      ptr(bytes),
      BigInt(length),
      DONTWAIT_NOSIGNAL,
      ptr(address),
      address.length,
    );
    return Number(sent) === length;
  }

  /** The monotonic clock of the kernel; Bun's own counts from the start of the process. */
  monotonicMicroseconds(): bigint {
    const time = new BigInt64Array(2);
    this.#libc.clock_gettime(CLOCK_MONOTONIC, ptr(time));
    const [seconds = 0n, nanoseconds = 0n] = time;
    return seconds * 1_000_000n + nanoseconds / 1_000n;
  }

  [Symbol.dispose](): void {
    this.#libc.close(this.#descriptor);
    this.#descriptor = -1;
  }
}

/** A `sockaddr_un`: the family, then a path that ends in 0, or an abstract name that begins with it. */
function addressOf(name: string): Uint8Array {
  const isAbstract = name.startsWith("@");
  const bytes = utf8(isAbstract ? `\0${name.slice(1)}` : `${name}\0`);
  if (!(isAbstract || name.startsWith("/")) || bytes.length > NAME_BYTES_MAX + 1)
    throw new Error(`${name} is neither a path nor an abstract name`);
  const address = new Uint8Array(2 + bytes.length);
  new DataView(address.buffer).setUint16(0, AF_UNIX, true);
  address.set(bytes, 2);
  return address;
}
