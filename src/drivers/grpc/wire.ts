import {
  type DescMessage,
  type DescMethod,
  fromBinary,
  type Message,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { PoolError } from "@/std/errors.ts";

/** The path of a method on the wire. */
export function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/** A request as a message with bytes of its own; refuses what is not one. */
export function decode(method: DescMethod, bytes: Uint8Array): Message {
  try {
    return fromBinary(method.input, new Uint8Array(bytes), { readUnknownFields: false });
  } catch (cause) {
    const message = `This is not a ${method.input.typeName}; compare the .proto files.`;
    throw new PoolError("invalid", "request.malformed", message, {}, cause);
  }
}

/** A reply as bytes. */
export function encode(method: DescMethod, reply: Message): Buffer {
  const bytes = toBinary(method.output, reply as MessageShape<DescMessage>);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
