import { inflateSync } from "node:zlib";
import { expect, test } from "vitest";
import { encodePng, pngAddress } from "../../src/report/png.ts";

/** A reader of its own, after the specification. The checksum bit by bit, as its annex D has it. */
function decode(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  expect([...bytes.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
  const chunks: [type: string, data: Uint8Array][] = [];
  for (let at = 8; at < bytes.length;) {
    const length = view.getUint32(at);
    const content = bytes.subarray(at + 4, at + 8 + length);
    expect(view.getUint32(at + 8 + length)).toBe(slowCrc(content));
    chunks.push([Buffer.from(content.subarray(0, 4)).toString(), content.subarray(4)]);
    at += 12 + length;
  }
  expect(chunks.map(([type]) => type)).toEqual(["IHDR", "IDAT", "IEND"]);
  const header = Buffer.from(chunks[0]![1]);
  const [width, height] = [header.readUInt32BE(0), header.readUInt32BE(4)];
  // 8 bits of gray, the only methods there are, not interlaced.
  expect([...header.subarray(8)]).toEqual([8, 0, 0, 0, 0]);
  const rows = inflateSync(chunks[1]![1]);
  expect(rows.length).toBe(height * (width + 1));
  const pixels = Array.from({ length: height }, (_, y) => {
    const row = rows.subarray(y * (width + 1), (y + 1) * (width + 1));
    expect(row[0]).toBe(0);
    return [...row.subarray(1)];
  });
  return { width, height, pixels: pixels.flat() };
}

function slowCrc(bytes: Uint8Array): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
  }
  return ~crc >>> 0;
}

test("holds its pixels, row by row, with right checksums", () => {
  const pixels = Uint8Array.from({ length: 28 * 28 }, (_, i) => (i * 37) % 256);
  expect(decode(encodePng(pixels, 28))).toEqual({ width: 28, height: 28, pixels: [...pixels] });
  expect(decode(encodePng(Uint8Array.of(1, 2, 3, 4, 5, 6), 3))).toMatchObject({ width: 3, height: 2 });
});

test("is an address that needs no file", () => {
  const [, base64] = /^data:image\/png;base64,([A-Za-z0-9+/]+=*)$/.exec(pngAddress(Uint8Array.of(9), 1)) ?? [];
  expect(decode(Buffer.from(base64!, "base64")).pixels).toEqual([9]);
});
