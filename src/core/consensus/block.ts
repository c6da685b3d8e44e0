import { header as headerCodec, payload as payloadCodec } from "./codec.ts";
import { hashHeader, payloadRootOf, validatorsHashOf } from "./digest.ts";
import { BLOCK_BYTES_MAX } from "./limits.ts";
import {
  type Block,
  type Hash,
  type Header,
  type Ms,
  NO_HASH,
  type Payload,
  type PublicKey,
} from "./types.ts";
import { type Codec, only, record } from "./wire.ts";

/** The payload of a block that only helps others to be committed. */
export const EMPTY_PAYLOAD: Payload = { inline: [], batches: [] };

/** A block; its hash is made here and nowhere else. */
export function newBlock(header: Header, payload: Payload): Block {
  return { hash: hashHeader(header), header, payload };
}

/** What a header says of its payload. */
export function sumUp(payload: Payload): Pick<Header, "payloadRoot" | "payloadBytes" | "txCount"> {
  return {
    payloadRoot: payloadRootOf(payload),
    payloadBytes: payloadCodec.size(payload),
    txCount: payload.inline.length,
  };
}

/** Whether a block has the payload its header says it has (V9). */
export function hasItsPayload({ header, payload }: Block): boolean {
  const sum = sumUp(payload);
  return (
    header.payloadRoot === sum.payloadRoot &&
    header.payloadBytes === sum.payloadBytes &&
    header.txCount === sum.txCount
  );
}

/** What a chain starts from. */
export interface Beginning {
  readonly chainId: Hash;
  readonly validators: readonly PublicKey[];
  readonly timestampMs: Ms;
  /** The root of the application before anything is executed. */
  readonly execRoot: Hash;
}

/** The first block: it ends epoch 0, which had no other, so that epoch 1 begins like all that follow. */
export function genesisBlock(beginning: Beginning): Block {
  const { chainId, validators, timestampMs, execRoot } = beginning;
  const header: Header = {
    ver: 1,
    chainId,
    epoch: 0,
    view: 0,
    height: 0,
    parent: NO_HASH,
    justifyView: 0,
    proposer: 0,
    timestampMs,
    ...sumUp(EMPTY_PAYLOAD),
    execHeight: 0,
    execRoot,
    evidenceRoot: NO_HASH,
    nextValidatorsHash: validatorsHashOf(validators),
    closing: null,
  };
  return newBlock(header, EMPTY_PAYLOAD);
}

type Content = Omit<Block, "hash">;

const content: Codec<Content> = only(
  record<Content>({ header: headerCodec, payload: payloadCodec }),
  (block) => headerCodec.size(block.header) + payloadCodec.size(block.payload) <= BLOCK_BYTES_MAX,
  "a block is too large",
);

/** The bytes of a block are its header and its payload; the hash follows from them. */
export const block: Codec<Block> = {
  size: (value) => content.size(value),
  write: (writer, value) => content.write(writer, value),
  read(reader) {
    const { header, payload } = content.read(reader);
    return newBlock(header, payload);
  },
};
