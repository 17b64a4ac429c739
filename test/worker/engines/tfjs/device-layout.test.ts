import { expect, test } from "vitest";
import { PARAMETER_COUNT, tensor } from "../../../../src/shared/model/lenet5.ts";
import {
  DEVICE_COUNT,
  DEVICE_TENSORS,
  toDeviceOrder,
  toTableOrder,
} from "../../../../src/worker/engines/tfjs/device-layout.ts";

/** Each parameter's value says where it lies in the table. */
const parameters = Float32Array.from({ length: PARAMETER_COUNT }, (_, i) => i);

function onDevice(name: string): { at: (...index: number[]) => number } {
  const { shape, offset } = DEVICE_TENSORS.find((spec) => spec.name === name)!;
  const values = toDeviceOrder(parameters);
  return { at: (...index) => values[offset + index.reduce((flat, i, axis) => flat * shape[axis]! + i, 0)]! };
}

test("all parameters but the convolutions' biases are on the device", () => {
  expect(DEVICE_COUNT).toBe(PARAMETER_COUNT - 6 - 16);
  const { offset, size } = tensor("conv2.bias");
  const values = new Set(toDeviceOrder(parameters));
  expect(values.size).toBe(DEVICE_COUNT);
  for (let i = offset; i < offset + size; i++) expect(values.has(i)).toBe(false);
});

test("a convolution's weight [out][in][y][x] is at [y][x][in][out]", () => {
  const { at } = onDevice("conv2.weight");
  const [out, into, y, x] = [13, 4, 1, 3];
  expect(at(y, x, into, out)).toBe(tensor("conv2.weight").offset + ((out * 6 + into) * 5 + y) * 5 + x);
});

test("the first dense layer's weight [out][channel, y, x] is at [out][y, x, channel]", () => {
  const { at } = onDevice("fc1.weight");
  const [out, channel, y, x] = [77, 11, 4, 2];
  const inTable = tensor("fc1.weight").offset + out * 400 + (channel * 5 + y) * 5 + x;
  expect(at(out, (y * 5 + x) * 16 + channel)).toBe(inTable);
});

test("the way back puts each value where it came from, multiplied, and leaves the biases alone", () => {
  const back = new Float32Array(PARAMETER_COUNT).fill(-1);
  toTableOrder(toDeviceOrder(parameters), 2, back);
  const isBias = (i: number): boolean =>
    ["conv1.bias", "conv2.bias"].some(
      (name) => i >= tensor(name).offset && i < tensor(name).offset + tensor(name).size,
    );
  expect(back).toEqual(parameters.map((value, i) => (isBias(i) ? -1 : value * 2)));
});
