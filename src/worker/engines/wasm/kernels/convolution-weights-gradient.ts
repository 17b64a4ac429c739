import { VECTOR_BYTES, multiplyAdd, pinned, range } from "./codegen.ts";

/** Side and area of every filter. */
const FILTER = 5;
const FILTER_AREA = FILTER * FILTER;

interface LayerShape {
  readonly inChannels: number;
  readonly inSide: number;
  readonly outSide: number;
  /** Output positions handled in one iteration, a divisor of outSide. */
  readonly positionsPerIteration: number;
  /** Rows that are summed in registers before the sums are added to memory, a divisor of outSide. */
  readonly rowsPerBlock: number;
}

/** One way to cut the 5x5 filters into tiles of at most eight accumulators. Offsets count from the tile's first weight. */
interface Tile {
  /** Output channels of the tile. */
  readonly outChannels: readonly number[];
  /** Taps of the tile: input channel, filter row, filter column. */
  readonly taps: readonly { readonly inChannel: number; readonly ky: number; readonly kx: number }[];
}

/** The five columns of a filter row do not divide by four: columns 0-3 go together, column 4 with its likes. */
const COLUMNS_0_TO_3 = range(4).map((kx) => ({ inChannel: 0, ky: 0, kx }));
const ROWS_0_TO_3 = range(4).map((ky) => ({ inChannel: 0, ky, kx: 0 }));
const ONE_TAP = [{ inChannel: 0, ky: 0, kx: 0 }];
const TWO_IN_CHANNELS = range(2).map((inChannel) => ({ inChannel, ky: 0, kx: 0 }));

/**
 * The loop of one tile: sum[o][t] = sum over positions of dy[o][position] * x[position + tap t], added to memory at
 * `tile`. Moves the variables `dyTile` and `xTile`.
 *
 * The sums start from zero in every block of rows, which keeps them short: an image is mostly flat background, where
 * thousands of equal products would round the same way and then cancel against the rest. One long float32 sum over a
 * shard of 128 loses 4 of its 7 digits.
 */
function tileLoop(layer: LayerShape, { outChannels, taps }: Tile): string {
  const { inChannels, inSide, outSide, positionsPerIteration, rowsPerBlock } = layer;
  const pieces = outSide / positionsPerIteration;
  const blocks = outSide / rowsPerBlock;
  const accumulators = outChannels.flatMap((channel, o) =>
    taps.map((tap, t) => ({
      name: `sum${o}_${t}`,
      offset: ((channel * inChannels + tap.inChannel) * FILTER_AREA + tap.ky * FILTER + tap.kx) * VECTOR_BYTES,
    })),
  );
  const position = (p: number): string => `
    ${outChannels.map((channel, o) => `const d${o}_${p} = v128.load(dyTile, ${(channel * outSide * outSide + p) * VECTOR_BYTES});`).join("\n")}
    ${taps
      .map(
        (
          tap,
          t,
        ) => `const x${t}_${p} = v128.load(xTile, ${((tap.inChannel * inSide + tap.ky) * inSide + tap.kx + p) * VECTOR_BYTES});
        ${outChannels.map((_, o) => multiplyAdd(`sum${o}_${t}`, `x${t}_${p}`, `d${o}_${p}`)).join("\n")}`,
      )
      .join("\n")}`;
  const nextRow = `xTile += ${(inSide - outSide) * VECTOR_BYTES};`;
  return `
    ${blocks > 1 ? `for (let block = 0; block < ${blocks}; block++)` : ""} {
      ${accumulators.map(({ name }) => `let ${name} = f32x4.splat(0);`).join("\n")}
      let left = ${rowsPerBlock * pieces};
      ${pieces > 1 ? `let leftInRow = ${pieces};` : ""}
      while (true) {
        ${pinned(positionsPerIteration, position)}
        dyTile += ${positionsPerIteration * VECTOR_BYTES};
        xTile += ${positionsPerIteration * VECTOR_BYTES};
        ${pieces > 1 ? `if (--leftInRow == 0) { leftInRow = ${pieces}; ${nextRow} }` : nextRow}
        if (--left == 0) break;
      }
      ${accumulators.map(({ name, offset }) => `v128.store(tile, f32x4.add(v128.load(tile, ${offset}), ${name}), ${offset});`).join("\n")}
    }`;
}

/** Pointers of the tile whose first weight is (outChannel, inChannel, ky, kx), given as AssemblyScript expressions. */
function tileAt(layer: LayerShape, outChannel: string, inChannel: string, ky: string, kx: string): string {
  const { inChannels, inSide, outSide } = layer;
  return `
    const tile = sums + ((${outChannel} * ${inChannels} + ${inChannel}) * ${FILTER_AREA} + ${ky} * ${FILTER} + ${kx}) * ${VECTOR_BYTES};
    let dyTile = dy + ${outChannel} * ${outSide * outSide * VECTOR_BYTES};
    let xTile = x + ((${inChannel} * ${inSide} + ${ky}) * ${inSide} + ${kx}) * ${VECTOR_BYTES};`;
}

const PARAMETERS = "x: usize, dy: usize, sums: usize, pin: i32";

function conv1WeightsGradient(): string {
  const layer = { inChannels: 1, inSide: 32, outSide: 28, positionsPerIteration: 7, rowsPerBlock: 7 };
  return `
function conv1WeightsColumns0To3(${PARAMETERS}): void {
  for (let channel: usize = 0; channel < 6; channel += 2) {
    for (let ky: usize = 0; ky < ${FILTER}; ky++) {
      ${tileAt(layer, "channel", "0", "ky", "0")}
      ${tileLoop(layer, { outChannels: [0, 1], taps: COLUMNS_0_TO_3 })}
    }
  }
}

function conv1WeightsColumn4(${PARAMETERS}): void {
  for (let channel: usize = 0; channel < 6; channel += 2) {
    ${tileAt(layer, "channel", "0", "0", "4")}
    ${tileLoop(layer, { outChannels: [0, 1], taps: ROWS_0_TO_3 })}
  }
}

function conv1WeightsCorner(${PARAMETERS}): void {
  ${tileAt(layer, "0", "0", "4", "4")}
  ${tileLoop(layer, { outChannels: range(6), taps: ONE_TAP })}
}

/** One group: x [1][32][32][4], dy [6][28][28][4]; adds to sums [6][1][5][5][4]. */
export function conv1WeightsGradient(${PARAMETERS}): void {
  conv1WeightsColumns0To3(x, dy, sums, pin);
  conv1WeightsColumn4(x, dy, sums, pin);
  conv1WeightsCorner(x, dy, sums, pin);
}
`;
}

function conv2WeightsGradient(): string {
  const layer = { inChannels: 6, inSide: 14, outSide: 10, positionsPerIteration: 5, rowsPerBlock: 10 };
  return `
function conv2WeightsColumns0To3(${PARAMETERS}): void {
  for (let channel: usize = 0; channel < 16; channel += 2) {
    for (let inChannel: usize = 0; inChannel < 6; inChannel++) {
      for (let ky: usize = 0; ky < ${FILTER}; ky++) {
        ${tileAt(layer, "channel", "inChannel", "ky", "0")}
        ${tileLoop(layer, { outChannels: [0, 1], taps: COLUMNS_0_TO_3 })}
      }
    }
  }
}

function conv2WeightsColumn4(${PARAMETERS}): void {
  for (let channel: usize = 0; channel < 16; channel += 4) {
    for (let inChannel: usize = 0; inChannel < 6; inChannel += 2) {
      for (let ky: usize = 0; ky < ${FILTER}; ky++) {
        ${tileAt(layer, "channel", "inChannel", "ky", "4")}
        ${tileLoop(layer, { outChannels: range(4), taps: TWO_IN_CHANNELS })}
      }
    }
  }
}

/** One group: x [6][14][14][4], dy [16][10][10][4]; adds to sums [16][6][5][5][4]. */
export function conv2WeightsGradient(${PARAMETERS}): void {
  conv2WeightsColumns0To3(x, dy, sums, pin);
  conv2WeightsColumn4(x, dy, sums, pin);
}
`;
}

/**
 * Weight gradients of the convolutions, a vector of four images' sums for each weight: the lanes are added up once a
 * shard, by sumLanes. No kernel computes the gradients of the convolutions' biases. They are zero, exactly: batch
 * normalisation subtracts the mean and the bias with it.
 */
export const CONVOLUTION_WEIGHTS_GRADIENT = conv1WeightsGradient() + conv2WeightsGradient();
