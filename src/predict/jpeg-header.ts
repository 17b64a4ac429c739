/** What must be known of a JPEG file before it is decoded. Pure. */

import { isOrientation, type Orientation } from "./orientation.ts";

/** See ITU-T T.81, annex B, and the EXIF specification (CIPA DC-008), section 4.5.4 and 4.6. */
export interface JpegHeader {
  /** Absent where no frame begins. The largest, should there be several. */
  readonly width?: number;
  readonly height?: number;
  /** Of that frame: 1 for grey, 3 for colours, 4 for colours as printers mix them. */
  readonly components?: number;
  /** Passes over the picture, or more: whatever looks like the beginning of one is counted, wherever it is. */
  readonly scans: number;
  /** 1 where the file does not say. */
  readonly orientation: Orientation;
}

const APP1 = 0xe1;
const START_OF_SCAN = 0xda;
const EXIF = [0x45, 0x78, 0x69, 0x66, 0, 0];
const ORIENTATION_TAG = 0x0112;
const SHORT = 3;
const ENTRY_BYTES = 12;

export function readJpegHeader(file: Uint8Array): JpegHeader {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  let frame: { width: number; height: number; components: number } | undefined;
  let orientation: Orientation | undefined;
  // Behind the start of the image. Within a scan 0xff is followed by 0 or by a restart, neither of which is a segment.
  for (let at = 2; at + 4 <= file.length;) {
    const marker = file[at + 1]!;
    if (file[at] !== 0xff || marker < 0xc0 || (marker >= 0xd0 && marker <= 0xd9) || marker === 0xff) {
      at += 1;
      continue;
    }
    const length = view.getUint16(at + 2);
    if (isFrame(marker) && at + 10 <= file.length) {
      const found = { height: view.getUint16(at + 5), width: view.getUint16(at + 7), components: file[at + 9]! };
      if (frame === undefined || found.width * found.height > frame.width * frame.height) frame = found;
    }
    if (marker === APP1) orientation ??= exifOrientation(file.subarray(at + 4, at + 2 + length));
    at += 2 + length;
  }
  return { ...frame, scans: countScans(file), orientation: orientation ?? 1 };
}

function countScans(file: Uint8Array): number {
  let scans = 0;
  for (let at = file.indexOf(0xff); at >= 0; at = file.indexOf(0xff, at + 1)) {
    if (file[at + 1] === START_OF_SCAN) scans += 1;
  }
  return scans;
}

function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && marker !== 0xc4 && marker !== 0xc8 && marker !== 0xcc;
}

/** Of the first image file directory. Undefined for anything that is not as it should be. */
function exifOrientation(segment: Uint8Array): Orientation | undefined {
  if (!EXIF.every((byte, i) => segment[i] === byte)) return undefined;
  const tiff = segment.subarray(EXIF.length);
  const view = new DataView(tiff.buffer, tiff.byteOffset, tiff.byteLength);
  if (tiff.length < 8) return undefined;
  const littleEndian = tiff[0] === 0x49;
  const directory = view.getUint32(4, littleEndian);
  if (directory + 2 > tiff.length) return undefined;
  const entries = view.getUint16(directory, littleEndian);
  for (let i = 0; i < entries; i++) {
    const entry = directory + 2 + i * ENTRY_BYTES;
    if (entry + ENTRY_BYTES > tiff.length) return undefined;
    if (view.getUint16(entry, littleEndian) !== ORIENTATION_TAG) continue;
    const value = view.getUint16(entry + 8, littleEndian);
    return view.getUint16(entry + 2, littleEndian) === SHORT && isOrientation(value) ? value : undefined;
  }
  return undefined;
}
