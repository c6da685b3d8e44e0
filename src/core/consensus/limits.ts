/** Bounds of what is decoded (§10.6): no honest replica comes near them, and no other gets past. */

/** Views, heights and times beyond this are refused: sums of them stay exact. */
export const NUMBER_MAX = 2 ** 52;
/** The validators a bitmap can name; a vector of signatures is sensible up to about 200. */
export const VALIDATORS_MAX = 256;
export const BLOCK_BYTES_MAX = 1 << 20;
export const BLOCK_TXS_MAX = 5_000;
export const BLOCK_BATCHES_MAX = 1_024;
export const TX_BYTES_MAX = 64 << 10;
export const BATCH_BYTES_MAX = 256 << 10;
export const CHUNK_BYTES_MAX = 1 << 20;
export const CHUNKS_MAX = 16_384;
export const IDS_MAX = 1_024;
/** A proposal, the largest of all messages: a block, two certificates and a timeout certificate. */
export const MESSAGE_BYTES_MAX = (1 << 20) + (1 << 18);
export const BLOCKS_MAX = 1_024;
export const EPOCH_PROOFS_MAX = 64;
/** Empty blocks that were certified before an epoch-final block was committed, and that block. */
export const CLOSING_HEADERS_MAX = 4_000;
