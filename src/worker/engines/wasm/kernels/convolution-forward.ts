import { FLOAT_BYTES, VECTOR_BYTES, multiplyAdd, pinned, range, repeat } from "./codegen.ts";

/** Side of every filter. */
const FILTER = 5;

interface ForwardShape {
  readonly name: string;
  readonly inChannels: number;
  readonly inSide: number;
  readonly outChannels: number;
  /** inSide - 4: no padding, stride 1. */
  readonly outSide: number;
  /** Results kept in registers: this many output channels times this many neighbouring columns. */
  readonly tileChannels: number;
  readonly tileColumns: number;
}

/**
 * Convolution and channel moments of one group. A tile of results starts from the bias; each iteration of its loop adds
 * one row of five taps of one input channel.
 */
function convolutionForward(shape: ForwardShape): string {
  const { name, inChannels, inSide, outChannels, outSide, tileChannels, tileColumns } = shape;
  const filterBytes = FILTER * FILTER * FLOAT_BYTES;
  const channelWeightBytes = inChannels * filterBytes;
  const inRowBytes = inSide * VECTOR_BYTES;
  const inChannelBytes = inSide * inRowBytes;
  const outChannelBytes = outSide * outSide * VECTOR_BYTES;
  const tile = range(tileColumns).flatMap((column) => range(tileChannels).map((channel) => ({ channel, column })));
  const accumulator = (channel: number, column: number): string => `sum${channel}_${column}`;

  const tap = (kx: number): string => `
    ${repeat(tileChannels, (o) => `w${o} = v128.load32_splat(weights, ${o * channelWeightBytes + kx * FLOAT_BYTES});`)}
    ${repeat(
      tileColumns,
      (column) => `pixel = v128.load(pixels, ${(column + kx) * VECTOR_BYTES});
      ${repeat(tileChannels, (o) => multiplyAdd(accumulator(o, column), "pixel", `w${o}`))}`,
    )}`;

  return `
/**
 * x [${inChannels}][${inSide}][${inSide}][4], w [${outChannels}][${inChannels}][5][5], b [${outChannels}] -> y [${outChannels}][${outSide}][${outSide}][4]
 * moments [${outChannels}]{mean, sum of squares} of the group's \`lanes\` images, or 0 if none are wanted
 */
export function ${name}(x: usize, w: usize, b: usize, y: usize, moments: usize, lanes: i32, pin: i32): void {
  let pixel = f32x4.splat(0);
  ${repeat(tileChannels, (o) => `let w${o} = pixel;`)}
  for (let channel: usize = 0; channel < ${outChannels}; channel += ${tileChannels}) {
    const tileWeights = w + channel * ${channelWeightBytes};
    const tileWeightsEnd = tileWeights + ${channelWeightBytes};
    let out = y + channel * ${outChannelBytes};
    for (let row: usize = 0; row < ${outSide}; row++) {
      let corner = x + row * ${inRowBytes};
      for (let column = 0; column < ${outSide}; column += ${tileColumns}) {
        ${tile.map((t) => `let ${accumulator(t.channel, t.column)} = v128.load32_splat(b + channel * ${FLOAT_BYTES}, ${t.channel * FLOAT_BYTES});`).join("\n")}
        let weights = tileWeights;
        let pixels = corner;
        ${inChannels > 1 ? `let rowsLeft = ${FILTER};` : ""}
        while (true) {
          ${pinned(FILTER, tap)}
          weights += ${FILTER * FLOAT_BYTES};
          if (weights == tileWeightsEnd) break;
          pixels += ${inRowBytes};
          ${inChannels > 1 ? `if (--rowsLeft == 0) { rowsLeft = ${FILTER}; pixels += ${inChannelBytes - FILTER * inRowBytes}; }` : ""}
        }
        ${tile.map((t) => `v128.store(out, ${accumulator(t.channel, t.column)}, ${t.channel * outChannelBytes + t.column * VECTOR_BYTES});`).join("\n")}
        corner += ${tileColumns * VECTOR_BYTES};
        out += ${tileColumns * VECTOR_BYTES};
      }
    }
    if (moments != 0) {
      ${repeat(tileChannels, (o) => `channelMoments(y + (channel + ${o}) * ${outChannelBytes}, ${outSide * outSide}, lanes, moments + (channel + ${o}) * 8);`)}
    }
  }
}
`;
}

const CONV1 = { name: "conv1Forward", inChannels: 1, inSide: 32, outChannels: 6, outSide: 28 };
const CONV2 = { name: "conv2Forward", inChannels: 6, inSide: 14, outChannels: 16, outSide: 10 };

export const CONVOLUTION_FORWARD = [
  convolutionForward({ ...CONV1, tileChannels: 1, tileColumns: 7 }),
  convolutionForward({ ...CONV2, tileChannels: 4, tileColumns: 2 }),
].join("\n");
