import { PARAMETERS, type TensorSpec } from "../../../shared/model/lenet5.ts";

/**
 * The parameters as TensorFlow wants them: one vector of 61,728 values.
 *
 * Its images are `[height][width][channels]`, so that a convolution's weights are `[height][width][in][out]` and the
 * first dense layer reads its inputs in that order, where the table has channels first. One permutation on the host
 * spares the device all transposing. The convolutions' biases are not on the device: see network.ts.
 */
export const DEVICE_TENSORS: readonly TensorSpec[] = layOut();

export const DEVICE_COUNT = DEVICE_TENSORS.reduce((count, { size }) => count + size, 0);

/** `[61_728]`: which parameter, by its index in table order, lies at each place of the device's vector. */
const TABLE_INDEX: Uint16Array = tableIndex();

function layOut(): TensorSpec[] {
  let offset = 0;
  return PARAMETERS.filter(({ name }) => !/^conv.\.bias$/.test(name)).map((spec) => {
    const { name, shape } = spec;
    const onDevice = shape.length === 4 ? [shape[2]!, shape[3]!, shape[1]!, shape[0]!] : shape;
    const placed = { ...spec, name, shape: onDevice, offset };
    offset += spec.size;
    return placed;
  });
}

function tableIndex(): Uint16Array {
  const indices = new Uint16Array(DEVICE_COUNT);
  for (const { name, offset, size, shape } of DEVICE_TENSORS) {
    const inTable = PARAMETERS.find((spec) => spec.name === name)!.offset;
    const order = orderWithin(name, shape, size);
    for (let i = 0; i < size; i++) indices[offset + i] = inTable + order(i);
  }
  return indices;
}

/** @param shape on the device. @returns a value's index within its tensor in table order, for the one on the device */
function orderWithin(name: string, shape: readonly number[], size: number): (i: number) => number {
  if (shape.length === 4) {
    const [ins, outs] = [shape[2]!, shape[3]!];
    const positions = size / ins / outs;
    // [position][in][out] on the device, [out][in][position] in the table.
    return (i) => ((i % outs) * ins + (Math.floor(i / outs) % ins)) * positions + Math.floor(i / outs / ins);
  }
  if (name === "fc1.weight") {
    const [inputs, channels] = [shape[1]!, 16];
    // [out][position][channel] on the device, [out][channel][position] in the table.
    return (i) => {
      const input = i % inputs;
      return i - input + (input % channels) * (inputs / channels) + Math.floor(input / channels);
    };
  }
  return (i) => i;
}

/** @param parameters `[61_750]` in table order. @returns a new vector `[61_728]` in the device's order */
export function toDeviceOrder(parameters: Float32Array): Float32Array {
  const result = new Float32Array(DEVICE_COUNT);
  for (let i = 0; i < DEVICE_COUNT; i++) result[i] = parameters[TABLE_INDEX[i]!]!;
  return result;
}

/**
 * Puts a gradient in table order, each value multiplied by `factor`. The convolutions' biases are left as they are.
 *
 * @param gradient starts with `[61_728]` in the device's order
 * @param into `[61_750]`
 */
export function toTableOrder(gradient: Float32Array, factor: number, into: Float32Array): void {
  for (let i = 0; i < DEVICE_COUNT; i++) into[TABLE_INDEX[i]!] = gradient[i]! * factor;
}
