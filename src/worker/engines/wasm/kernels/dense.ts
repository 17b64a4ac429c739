import { FLOAT_BYTES, VECTOR_BYTES, multiplyAdd, pinned, range, repeat } from "./codegen.ts";

interface DenseShape {
  /** Prefix of the kernels' names. */
  readonly name: string;
  readonly inputs: number;
  readonly outputs: number;
  /** Whether a ReLU follows the layer. */
  readonly relu: boolean;
  /** Whether the layer's input came out of a ReLU, whose gradient is then applied to the input's gradient. */
  readonly inputIsRelu: boolean;
  /** Outputs in a tile of the forward pass; the tile spans two groups, so the accumulators are twice as many. */
  readonly forwardOutputs: number;
  /** Tile of the weights' gradient: outputs times vectors of four inputs. */
  readonly gradientOutputs: number;
  readonly gradientInputVectors: number;
}

/** Inputs (forward) and outputs (backward) handled in one iteration, with a pin after each. */
const FORWARD_STEPS = 4;
const BACKWARD_STEPS = 2;
/** Inputs in a tile of the input's gradient; the tile spans two groups. */
const BACKWARD_INPUTS = 4;

function forward({ name, inputs, outputs, relu, forwardOutputs }: DenseShape): string {
  const weightRowBytes = inputs * FLOAT_BYTES;
  const step = (i: number): string => `
    ${repeat(forwardOutputs, (o) => `const w${o}_${i} = v128.load32_splat(weights, ${o * weightRowBytes + i * FLOAT_BYTES});`)}
    const x0_${i} = v128.load(at, ${i * VECTOR_BYTES});
    ${repeat(forwardOutputs, (o) => multiplyAdd(`first${o}`, `x0_${i}`, `w${o}_${i}`))}
    const x1_${i} = v128.load(at, ${(inputs + i) * VECTOR_BYTES});
    ${repeat(forwardOutputs, (o) => multiplyAdd(`second${o}`, `x1_${i}`, `w${o}_${i}`))}`;
  const result = (sum: string): string => (relu ? `f32x4.max(${sum}, zero)` : sum);
  return `
/** Two groups: x [2][${inputs}][4], w [${outputs}][${inputs}], b [${outputs}] -> y [2][${outputs}][4]${relu ? ", after the ReLU" : ""} */
export function ${name}Forward(x: usize, w: usize, b: usize, y: usize, pin: i32): void {
  ${relu ? "const zero = f32x4.splat(0);" : ""}
  const last = x + ${(inputs - FORWARD_STEPS) * VECTOR_BYTES};
  for (let output: usize = 0; output < ${outputs}; output += ${forwardOutputs}) {
    ${repeat(
      forwardOutputs,
      (o) => `let first${o} = v128.load32_splat(b + output * ${FLOAT_BYTES}, ${o * FLOAT_BYTES});
      let second${o} = v128.load32_splat(b + output * ${FLOAT_BYTES}, ${o * FLOAT_BYTES});`,
    )}
    let weights = w + output * ${weightRowBytes};
    let at = x;
    while (true) {
      ${pinned(FORWARD_STEPS, step)}
      if (at == last) break;
      weights += ${FORWARD_STEPS * FLOAT_BYTES};
      at += ${FORWARD_STEPS * VECTOR_BYTES};
    }
    ${repeat(
      forwardOutputs,
      (o) => `v128.store(y, ${result(`first${o}`)}, ${o * VECTOR_BYTES});
      v128.store(y, ${result(`second${o}`)}, ${(outputs + o) * VECTOR_BYTES});`,
    )}
    y += ${forwardOutputs * VECTOR_BYTES};
  }
}
`;
}

function inputGradient({ name, inputs, outputs, inputIsRelu }: DenseShape): string {
  const step = (i: number): string => `
    ${repeat(BACKWARD_INPUTS, (k) => `const w${k}_${i} = v128.load32_splat(weights, ${(i * inputs + k) * FLOAT_BYTES});`)}
    const d0_${i} = v128.load(at, ${i * VECTOR_BYTES});
    ${repeat(BACKWARD_INPUTS, (k) => multiplyAdd(`first${k}`, `d0_${i}`, `w${k}_${i}`))}
    const d1_${i} = v128.load(at, ${(outputs + i) * VECTOR_BYTES});
    ${repeat(BACKWARD_INPUTS, (k) => multiplyAdd(`second${k}`, `d1_${i}`, `w${k}_${i}`))}`;
  const result = (sum: string, offset: number): string =>
    inputIsRelu ? `v128.and(${sum}, f32x4.gt(v128.load(x, ${offset}), zero))` : sum;
  const store = (sum: string, offset: number): string => `v128.store(dx, ${result(sum, offset)}, ${offset});`;
  return `
/** Two groups: dy [2][${outputs}][4], w [${outputs}][${inputs}]${inputIsRelu ? `, x [2][${inputs}][4]` : ""} -> dx [2][${inputs}][4]${inputIsRelu ? ", 0 where x is 0" : ""} */
export function ${name}InputGradient(dy: usize, w: usize, ${inputIsRelu ? "x: usize, " : ""}dx: usize, pin: i32): void {
  ${inputIsRelu ? "const zero = f32x4.splat(0);" : ""}
  const last = dy + ${(outputs - BACKWARD_STEPS) * VECTOR_BYTES};
  for (let input: usize = 0; input < ${inputs}; input += ${BACKWARD_INPUTS}) {
    ${repeat(BACKWARD_INPUTS, (k) => `let first${k} = f32x4.splat(0);\nlet second${k} = f32x4.splat(0);`)}
    let weights = w + input * ${FLOAT_BYTES};
    let at = dy;
    while (true) {
      ${pinned(BACKWARD_STEPS, step)}
      if (at == last) break;
      weights += ${BACKWARD_STEPS * inputs * FLOAT_BYTES};
      at += ${BACKWARD_STEPS * VECTOR_BYTES};
    }
    ${repeat(
      BACKWARD_INPUTS,
      (k) => `${store(`first${k}`, k * VECTOR_BYTES)}\n${store(`second${k}`, (inputs + k) * VECTOR_BYTES)}`,
    )}
    ${inputIsRelu ? `x += ${BACKWARD_INPUTS * VECTOR_BYTES};` : ""}
    dx += ${BACKWARD_INPUTS * VECTOR_BYTES};
  }
}
`;
}

/**
 * Here the lanes are four inputs of one image, not one input of four images: the sum runs over images, and its result
 * has the layout of the weights. That is why the activations are needed a second time, image by image.
 */
function weightsGradient({ name, inputs, outputs, gradientOutputs, gradientInputVectors }: DenseShape): string {
  const image = (lane: number): string => `
    ${repeat(gradientOutputs, (o) => `const d${o}_${lane} = v128.load32_splat(dyTile, ${o * VECTOR_BYTES + lane * FLOAT_BYTES});`)}
    ${repeat(
      gradientInputVectors,
      (k) => `const x${k}_${lane} = v128.load(xTile, ${lane * inputs * FLOAT_BYTES + k * VECTOR_BYTES});
      ${repeat(gradientOutputs, (o) => multiplyAdd(`sum${o}_${k}`, `x${k}_${lane}`, `d${o}_${lane}`))}`,
    )}`;
  const accumulators = range(gradientOutputs).flatMap((o) => range(gradientInputVectors).map((k) => ({ o, k })));
  return `
/** All groups: x [groups * 4][${inputs}], dy [groups][${outputs}][4] -> dw [${outputs}][${inputs}], db [${outputs}] */
export function ${name}WeightsGradient(x: usize, dy: usize, dw: usize, db: usize, groups: i32, pin: i32): void {
  for (let input: usize = 0; input < ${inputs}; input += ${4 * gradientInputVectors}) {
    for (let output: usize = 0; output < ${outputs}; output += ${gradientOutputs}) {
      ${accumulators.map(({ o, k }) => `let sum${o}_${k} = f32x4.splat(0);`).join("\n")}
      let xTile = x + input * ${FLOAT_BYTES};
      let dyTile = dy + output * ${VECTOR_BYTES};
      let left = groups;
      while (true) {
        ${pinned(4, image)}
        if (--left == 0) break;
        xTile += ${4 * inputs * FLOAT_BYTES};
        dyTile += ${outputs * VECTOR_BYTES};
      }
      const tile = dw + (output * ${inputs} + input) * ${FLOAT_BYTES};
      ${accumulators.map(({ o, k }) => `v128.store(tile, sum${o}_${k}, ${o * inputs * FLOAT_BYTES + k * VECTOR_BYTES});`).join("\n")}
    }
  }
  for (let output: usize = 0; output < ${outputs}; output++) {
    let sum = f32x4.splat(0);
    let at = dy + output * ${VECTOR_BYTES};
    for (let group = 0; group < groups; group++) {
      sum = f32x4.add(sum, v128.load(at));
      at += ${outputs * VECTOR_BYTES};
    }
    store<f32>(db + output * ${FLOAT_BYTES}, sumOfLanes(sum));
  }
}
`;
}

const TILE = { forwardOutputs: 4, gradientOutputs: 4, gradientInputVectors: 2 };
/** The last layer's 10 outputs and 84 = 7 x 3 x 4 inputs do not divide by the other layers' tile. */
const LAST_TILE = { forwardOutputs: 2, gradientOutputs: 2, gradientInputVectors: 3 };

const LAYERS: readonly DenseShape[] = [
  { name: "fc1", inputs: 400, outputs: 120, relu: true, inputIsRelu: false, ...TILE },
  { name: "fc2", inputs: 120, outputs: 84, relu: true, inputIsRelu: true, ...TILE },
  { name: "fc3", inputs: 84, outputs: 10, relu: false, inputIsRelu: true, ...LAST_TILE },
];

/** The fully connected layers. Their tiles span two groups, so that a weight once loaded serves eight images. */
export const DENSE = LAYERS.map((layer) => forward(layer) + inputGradient(layer) + weightsGradient(layer)).join("\n");
