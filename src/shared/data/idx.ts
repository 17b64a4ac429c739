/**
 * The IDX format of MNIST's files (Yann LeCun's "THE MNIST DATABASE", section FILE FORMATS): a big-endian header of
 * 32-bit words (magic number, then one extent for each dimension), followed by one byte for each pixel or label.
 */

import { formatPlural } from "../format.ts";
import { LockstepError } from "../errors.ts";
import { CLASS_COUNT } from "../model/lenet5.ts";

/** Height and width of an image as it is stored. */
export const STORED_SIDE = 28;
/** Pixels of a stored image. */
export const STORED_SIZE = STORED_SIDE * STORED_SIDE;

const IMAGES_MAGIC = 0x0000_0803;
const LABELS_MAGIC = 0x0000_0801;
const IMAGES_HEADER_BYTES = 16;
const LABELS_HEADER_BYTES = 8;

/**
 * The pixels of an IDX image file, row by row: [n, 28, 28] bytes, as a view of `content`.
 *
 * @param content the whole file, decompressed
 * @param where what to call the file in errors
 * @throws LockstepError `refused`
 */
export function parseImages(content: Uint8Array, where: string): Uint8Array {
  const header = readHeader(content, where, "images", IMAGES_MAGIC, IMAGES_HEADER_BYTES);
  const count = header.getUint32(4);
  const rows = header.getUint32(8);
  const columns = header.getUint32(12);
  if (rows !== STORED_SIDE || columns !== STORED_SIDE) {
    throw refuse(
      `${where} holds images of ${rows}x${columns} pixels; expected ${STORED_SIDE}x${STORED_SIDE}, as MNIST has them`,
    );
  }
  return readBody(content, where, "images", IMAGES_HEADER_BYTES, count, STORED_SIZE);
}

/**
 * The labels of an IDX label file: [n] bytes from 0 to 9, as a view of `content`.
 *
 * @param content the whole file, decompressed
 * @param where what to call the file in errors
 * @throws LockstepError `refused`
 */
export function parseLabels(content: Uint8Array, where: string): Uint8Array {
  const header = readHeader(content, where, "labels", LABELS_MAGIC, LABELS_HEADER_BYTES);
  const labels = readBody(content, where, "labels", LABELS_HEADER_BYTES, header.getUint32(4), 1);
  const wrong = labels.findIndex((label) => label >= CLASS_COUNT);
  if (wrong >= 0) {
    throw refuse(
      `${where}: label ${wrong} (counted from 0) is ${labels[wrong]}; the model knows only the classes 0 to ` +
        `${CLASS_COUNT - 1}, so map or leave out the others`,
    );
  }
  return labels;
}

/** An IDX image file with these pixels, [n, 28, 28] bytes. */
export function encodeImages(pixels: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode([IMAGES_MAGIC, pixels.length / STORED_SIZE, STORED_SIDE, STORED_SIDE], pixels);
}

/** An IDX label file with these labels, [n] bytes. */
export function encodeLabels(labels: Uint8Array): Uint8Array<ArrayBuffer> {
  return encode([LABELS_MAGIC, labels.length], labels);
}

function encode(header: readonly number[], body: Uint8Array): Uint8Array<ArrayBuffer> {
  const content = new Uint8Array(header.length * 4 + body.length);
  const view = new DataView(content.buffer);
  header.forEach((word, index) => view.setUint32(index * 4, word));
  content.set(body, header.length * 4);
  return content;
}

type Kind = "images" | "labels";

function readHeader(content: Uint8Array, where: string, expected: Kind, magic: number, headerBytes: number): DataView {
  const header = new DataView(content.buffer, content.byteOffset, content.byteLength);
  if (content.length === 0) throw refuse(`${where} is empty; expected an IDX file of ${expected}; copy it again`);
  const found = content.length < 4 ? undefined : header.getUint32(0);
  if (found !== undefined && found !== magic) {
    if (found === IMAGES_MAGIC || found === LABELS_MAGIC) {
      const instead: Kind = found === IMAGES_MAGIC ? "images" : "labels";
      throw refuse(`${where} holds ${instead} where ${expected} are expected; are the two files swapped?`);
    }
    throw refuse(
      `${where} is not an IDX file of ${expected}: it begins with ${hex(found)}, expected ${hex(magic)}; ` +
        "download it again",
    );
  }
  if (content.length < headerBytes) {
    throw refuse(
      `${where} is truncated: it has ${content.length} bytes, fewer than the IDX header's ${headerBytes}; copy it again`,
    );
  }
  return header;
}

function readBody(
  content: Uint8Array,
  where: string,
  kind: Kind,
  headerBytes: number,
  count: number,
  itemBytes: number,
): Uint8Array {
  if (count === 0) throw refuse(`${where} holds no ${kind}; expected at least one`);
  const expectedBytes = headerBytes + count * itemBytes;
  if (content.length !== expectedBytes) {
    const fault =
      content.length < expectedBytes
        ? "is truncated"
        : `has ${formatPlural(content.length - expectedBytes, "byte")} too many after its last item`;
    throw refuse(
      `${where} ${fault}: its header promises ${count} ${kind}, which take ${expectedBytes} bytes, but it has ` +
        `${content.length}; copy it again`,
    );
  }
  return new Uint8Array(content.buffer, content.byteOffset + headerBytes, count * itemBytes);
}

function hex(word: number): string {
  return `0x${word.toString(16).padStart(8, "0")}`;
}

function refuse(message: string): LockstepError {
  return new LockstepError("refused", message);
}
