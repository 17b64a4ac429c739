/**
 * LeNet-5 with batch normalisation: which numbers the model has and where each one lies.
 *
 * Everything that moves through the system is one flat float32 vector in this order:
 *
 *     parameters  [61,750]  trained by Adam             PyTorch's names, shapes and row-major layouts
 *     statistics  [44]      BatchNorm running mean/var  updated by momentum, used for evaluation
 *
 * The two together are the model's *state* (what a checkpoint and `weightsSha256` cover).
 */

export interface TensorSpec {
  /** PyTorch `state_dict` name. */
  readonly name: string;
  readonly shape: readonly number[];
  /** First element, counted in float32 values from the start of the state vector. */
  readonly offset: number;
  readonly size: number;
  /** Inputs that feed one output unit; 0 for batch normalisation. Decides the initial range. */
  readonly fanIn: number;
}

export const IMAGE_SIDE = 32;
/** Pixels of one network input. */
export const IMAGE_SIZE = IMAGE_SIDE * IMAGE_SIDE;
export const CLASS_COUNT = 10;
export const CONV1_CHANNELS = 6;
export const CONV2_CHANNELS = 16;

function layOut(start: number, rows: readonly [name: string, shape: readonly number[], fanIn: number][]): TensorSpec[] {
  let offset = start;
  return rows.map(([name, shape, fanIn]) => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    const spec = { name, shape, offset, size, fanIn };
    offset += size;
    return spec;
  });
}

const end = (specs: readonly TensorSpec[]): number => Math.max(...specs.map((spec) => spec.offset + spec.size));

/** The trained tensors, in PyTorch's order. */
export const PARAMETERS: readonly TensorSpec[] = layOut(0, [
  ["conv1.weight", [6, 1, 5, 5], 25],
  ["conv1.bias", [6], 25],
  ["bn1.weight", [6], 0],
  ["bn1.bias", [6], 0],
  ["conv2.weight", [16, 6, 5, 5], 150],
  ["conv2.bias", [16], 150],
  ["bn2.weight", [16], 0],
  ["bn2.bias", [16], 0],
  ["fc1.weight", [120, 400], 400],
  ["fc1.bias", [120], 400],
  ["fc2.weight", [84, 120], 120],
  ["fc2.bias", [84], 120],
  ["fc3.weight", [10, 84], 84],
  ["fc3.bias", [10], 84],
]);

export const PARAMETER_COUNT = end(PARAMETERS);

/** BatchNorm running statistics, which follow the parameters in the state vector. */
export const STATISTICS: readonly TensorSpec[] = layOut(PARAMETER_COUNT, [
  ["bn1.running_mean", [6], 0],
  ["bn1.running_var", [6], 0],
  ["bn2.running_mean", [16], 0],
  ["bn2.running_var", [16], 0],
]);

export const STATISTIC_COUNT = end(STATISTICS) - PARAMETER_COUNT;
/** Length of the state vector: parameters, then running statistics. */
export const STATE_COUNT = PARAMETER_COUNT + STATISTIC_COUNT;

/** BatchNorm2d's eps and momentum, PyTorch's defaults. */
export const BATCH_NORM_EPSILON = 1e-5;
export const BATCH_NORM_MOMENTUM = 0.1;

export function tensor(name: string): TensorSpec {
  const spec = PARAMETERS.find((p) => p.name === name) ?? STATISTICS.find((s) => s.name === name);
  if (spec === undefined) throw new Error(`the model has no tensor named "${name}"`);
  return spec;
}
