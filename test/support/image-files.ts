import { crc32, deflateSync } from "node:zlib";
import { encode } from "jpeg-js";

/** Image files as other programs write them, byte by byte where no package writes that kind. */

export interface PngContent {
  readonly width: number;
  readonly height: number;
  readonly depth: number;
  readonly colourType: number;
  readonly isInterlaced?: boolean;
  /** Rows as they are stored, before each the number of its filter. */
  readonly rows: Uint8Array;
  readonly palette?: Uint8Array;
  readonly transparency?: Uint8Array;
}

export function pngFile({ width, height, depth, colourType, isInterlaced = false, rows, ...more }: PngContent): Buffer {
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([depth, colourType, 0, 0, isInterlaced ? 1 : 0], 8);
  return Buffer.concat([
    Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a),
    chunk("IHDR", header),
    ...(more.palette === undefined ? [] : [chunk("PLTE", more.palette)]),
    ...(more.transparency === undefined ? [] : [chunk("tRNS", more.transparency)]),
    chunk("IDAT", deflateSync(rows)),
    chunk("IEND", new Uint8Array(0)),
  ]);
}

function chunk(type: string, data: Uint8Array): Buffer {
  const content = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(content.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(content, 4);
  framed.writeUInt32BE(crc32(content), content.length + 4);
  return framed;
}

/** @param pixels [height, width] bytes, 0 black to 255 white */
export function greyPng(pixels: Uint8Array, width: number): Buffer {
  const height = pixels.length / width;
  const rows = new Uint8Array(height * (width + 1));
  for (let y = 0; y < height; y++) rows.set(pixels.subarray(y * width, (y + 1) * width), y * (width + 1) + 1);
  return pngFile({ width, height, depth: 8, colourType: 0, rows });
}

/** @param pixels [height, width] bytes, 0 black to 255 white */
export function greyJpeg(pixels: Uint8Array, width: number, quality: number): Buffer {
  const data = new Uint8Array(pixels.length * 4);
  for (const [i, value] of pixels.entries()) data.set([value, value, value, 255], i * 4);
  return encode({ width, height: pixels.length / width, data }, quality).data;
}

/** The same JPEG file with an EXIF segment that says how the camera was held. */
export function withOrientation(jpeg: Uint8Array, orientation: number, littleEndian: boolean): Buffer {
  const tiff = Buffer.alloc(8 + 2 + 12 + 4);
  const short = (value: number, at: number) =>
    littleEndian ? tiff.writeUInt16LE(value, at) : tiff.writeUInt16BE(value, at);
  const long = (value: number, at: number) =>
    littleEndian ? tiff.writeUInt32LE(value, at) : tiff.writeUInt32BE(value, at);
  tiff.write(littleEndian ? "II" : "MM", 0, "latin1");
  short(42, 2);
  long(8, 4);
  short(1, 8);
  short(0x0112, 10);
  short(3, 12);
  long(1, 14);
  short(orientation, 18);
  const content = Buffer.concat([Buffer.from("Exif\0\0", "latin1"), tiff]);
  const start = Buffer.from([0xff, 0xe1, 0, content.length + 2]);
  return Buffer.concat([jpeg.subarray(0, 2), start, content, jpeg.subarray(2)]);
}
