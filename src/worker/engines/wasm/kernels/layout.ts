/** Changes between image-by-image and four-images-in-a-vector order. */
export const LAYOUT = `
/**
 * One group: [4][n] -> [n][4], by 4x4 transposes. n is a multiple of 4.
 */
export function interleave(from: usize, to: usize, n: usize): void {
  const row = n * 4;
  for (const end = from + row; from < end; from += 16, to += 64) {
    transpose4(from, row, to, 16);
  }
}

/**
 * One group of bytes: [4][n] -> [n][4], each byte replaced by its value in \`table\`, [256]. n is a multiple of 4.
 *
 * Most of an image is background: four bytes of each of four images are looked at together, and often all 0.
 */
export function interleaveBytes(from: usize, to: usize, n: usize, table: usize): void {
  const background = v128.load32_splat(table);
  for (const end = from + n; from < end; from += 4, to += 64) {
    const a = load<u32>(from);
    const b = load<u32>(from + n);
    const c = load<u32>(from + n * 2);
    const d = load<u32>(from + n * 3);
    if ((a | b | c | d) == 0) {
      v128.store(to, background);
      v128.store(to + 16, background);
      v128.store(to + 32, background);
      v128.store(to + 48, background);
    } else {
      lookUp(a, b, c, d, to, table);
      lookUp(a >> 8, b >> 8, c >> 8, d >> 8, to + 16, table);
      lookUp(a >> 16, b >> 16, c >> 16, d >> 16, to + 32, table);
      lookUp(a >> 24, b >> 24, c >> 24, d >> 24, to + 48, table);
    }
  }
}

/** The values of the lowest byte of each number, side by side. */
@inline
function lookUp(a: u32, b: u32, c: u32, d: u32, to: usize, table: usize): void {
  store<f32>(to, load<f32>(table + ((a & 255) << 2)));
  store<f32>(to + 4, load<f32>(table + ((b & 255) << 2)));
  store<f32>(to + 8, load<f32>(table + ((c & 255) << 2)));
  store<f32>(to + 12, load<f32>(table + ((d & 255) << 2)));
}

/** One group: [n][4] -> [4][n]. n is a multiple of 4. */
export function separate(from: usize, to: usize, n: usize): void {
  const row = n * 4;
  for (const end = to + row; to < end; to += 16, from += 64) {
    transpose4(from, 16, to, row);
  }
}

/** Transposes a 4x4 block; the strides are the bytes between its rows. */
@inline
function transpose4(from: usize, fromStride: usize, to: usize, toStride: usize): void {
  const a = v128.load(from);
  const b = v128.load(from + fromStride);
  const c = v128.load(from + fromStride * 2);
  const d = v128.load(from + fromStride * 3);
  const ab01 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const ab23 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cd01 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cd23 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(to, v128.shuffle<f32>(ab01, cd01, 0, 1, 4, 5));
  v128.store(to + toStride, v128.shuffle<f32>(ab01, cd01, 2, 3, 6, 7));
  v128.store(to + toStride * 2, v128.shuffle<f32>(ab23, cd23, 0, 1, 4, 5));
  v128.store(to + toStride * 3, v128.shuffle<f32>(ab23, cd23, 2, 3, 6, 7));
}

/** Sums each of n vectors across its lanes: [n][4] -> [n]. */
export function sumLanes(from: usize, to: usize, n: i32): void {
  for (let i = 0; i < n; i++) {
    store<f32>(to, sumOfLanes(v128.load(from)));
    from += 16;
    to += 4;
  }
}

export function clear(at: usize, bytes: usize): void {
  memory.fill(at, 0, bytes);
}
`;
