/** PNG files. The only file that imports pngjs. */

import { crc32, inflateSync } from "node:zlib";
import { PNG } from "pngjs";
import { messageOf } from "../shared/errors.ts";
import { type GreyImage, greyOfRgba } from "./grey-image.ts";
import { refused, requireSize } from "./image-limits.ts";
import { pngDataBytes, type PngHeader } from "./png-layout.ts";

/** See the PNG specification (ISO/IEC 15948), sections 5 and 11. */
const SIGNATURE = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a);
const HEADER_BYTES = 13;
/** A chunk's length and type before its data, and its checksum behind. */
const CHUNK_START_BYTES = 8;
const CHUNK_END_BYTES = 4;

export function isPng(file: Uint8Array): boolean {
  return SIGNATURE.every((byte, i) => file[i] === byte);
}

/**
 * @param where what to call the file in errors
 * @throws LockstepError `refused` when it is too large or damaged
 */
export function decodePng(file: Uint8Array, where: string): GreyImage {
  const { header, packed, end } = readChunks(file, where);
  requireSize(header.width, header.height, where);
  requireData(packed, header, where);
  try {
    // pngjs takes nothing behind the end, where some programs leave something.
    const { data, width, height } = PNG.sync.read(Buffer.from(file.subarray(0, end)));
    return greyOfRgba(data, width, height);
  } catch (error) {
    throw damaged(where, messageOf(error), error);
  }
}

/**
 * pngjs does not look at how much there is to unpack: of an interlaced image a few bytes may become gigabytes, and where
 * there is too little it goes on with what lay in memory.
 */
function requireData(packed: Uint8Array, header: PngHeader, where: string): void {
  const expected = pngDataBytes(header);
  if (expected === undefined) throw damaged(where, `there is no colour type ${header.colourType}`);
  let found: number;
  try {
    found = inflateSync(packed, { maxOutputLength: expected }).length;
  } catch (error) {
    throw damaged(where, `its pixels cannot be unpacked to ${expected} bytes`, error);
  }
  if (found !== expected) throw damaged(where, `its pixels take ${found} bytes, not ${expected}`);
}

interface Chunks {
  readonly header: PngHeader;
  /** The data of all chunks with pixels. */
  readonly packed: Uint8Array;
  /** Where the last chunk ends. */
  readonly end: number;
}

function readChunks(file: Uint8Array, where: string): Chunks {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const truncated = () => refused(where, `is a truncated PNG file of ${file.length} bytes; copy it again`);
  const packed: Uint8Array[] = [];
  let header: PngHeader | undefined;
  let end = SIGNATURE.length;
  for (;;) {
    const start = end + CHUNK_START_BYTES;
    if (start > file.length) throw truncated();
    const length = view.getUint32(end);
    const type = String.fromCharCode(...file.subarray(end + 4, start));
    end = start + length + CHUNK_END_BYTES;
    if (end > file.length) throw truncated();
    if (crc32(file.subarray(start - 4, start + length)) !== view.getUint32(start + length)) {
      throw damaged(where, `the checksum of its part ${JSON.stringify(type)} is wrong`);
    }
    if (header === undefined) {
      if (type !== "IHDR" || length !== HEADER_BYTES) throw damaged(where, "it does not begin with a header");
      header = readHeader(view, start);
    }
    if (type === "IDAT") packed.push(file.subarray(start, start + length));
    if (type === "IEND") return { header, packed: Buffer.concat(packed), end };
  }
}

function readHeader(view: DataView, at: number): PngHeader {
  return {
    width: view.getUint32(at),
    height: view.getUint32(at + 4),
    depth: view.getUint8(at + 8),
    colourType: view.getUint8(at + 9),
    isInterlaced: view.getUint8(at + 12) !== 0,
  };
}

function damaged(where: string, problem: string, cause?: unknown): Error {
  return refused(where, `is a damaged PNG file (${problem}); save it anew`, cause);
}
