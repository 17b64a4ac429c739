import { crc32 } from "node:zlib";
import type { Frames } from "../protocol/codec.ts";

/**
 * Proof that a message is what was sent: its last frame holds a CRC-32 of each frame before it. TCP's own checksum has
 * 16 bits and ends where a proxy or a network card takes the bytes apart; no wrong bit may reach the weights.
 */

const CHECKSUM_BYTES = 4;

/** @returns the frames and one more: the CRC-32 of each of them (that of IEEE 802.3), 4 bytes each, little-endian */
export function withChecksums(frames: Frames, checksumOf: (frame: Uint8Array) => number = crc32): Uint8Array[] {
  const checksums = new DataView(new ArrayBuffer(frames.length * CHECKSUM_BYTES));
  for (const [i, frame] of frames.entries()) checksums.setUint32(i * CHECKSUM_BYTES, checksumOf(frame), true);
  return [...frames, new Uint8Array(checksums.buffer)];
}

/** What was sent, or a sentence that says what is damaged. */
export type CheckedFrames = { readonly frames: Frames } | { readonly problem: string };

/** Compares what was received with the checksums in its last frame. */
export function checkFrames(received: Frames): CheckedFrames {
  const frames = received.slice(0, -1);
  const last = received.at(-1) ?? new Uint8Array(0);
  // Counted first: the checksums of what is no message of ours need not be computed.
  if (frames.length === 0 || last.byteLength !== frames.length * CHECKSUM_BYTES) {
    return damaged(`${frames.length} frames came with ${last.byteLength} bytes of checksums, 4 each are due`);
  }
  const checksums = new DataView(last.buffer, last.byteOffset, last.byteLength);
  for (const [i, frame] of frames.entries()) {
    const [found, sent] = [crc32(frame), checksums.getUint32(i * CHECKSUM_BYTES, true)];
    if (found !== sent) {
      const { byteLength } = frame;
      return damaged(`frame ${i}, of ${byteLength} bytes, has checksum ${hex(found)} where ${hex(sent)} was sent`);
    }
  }
  return { frames };
}

function damaged(what: string): CheckedFrames {
  const advice = "check the network between sender and receiver, and that both have the same version of lockstep";
  return { problem: `a message was damaged on its way: ${what}; ${advice}` };
}

function hex(checksum: number): string {
  return checksum.toString(16).padStart(8, "0");
}

/**
 * Computes the checksum of what is sent to many peers once. A frame that is all of its buffer is taken to be the same as
 * before whenever it comes again: nobody writes to what was sent.
 */
export class KnownChecksums {
  readonly #known = new WeakMap<ArrayBufferLike, number>();

  /** CRC-32 of a frame that is about to be sent. */
  of(frame: Uint8Array): number {
    if (frame.byteLength !== frame.buffer.byteLength) return crc32(frame);
    let checksum = this.#known.get(frame.buffer);
    if (checksum === undefined) this.#known.set(frame.buffer, (checksum = crc32(frame)));
    return checksum;
  }
}
