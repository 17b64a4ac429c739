import { invariant } from "../shared/errors.ts";
import type { Tensor } from "../shared/safetensors.ts";

/** A matrix with rows and columns exchanged: [rows, columns] to [columns, rows]. */
export function transpose({ shape, values }: Tensor): Tensor {
  const [rows = 0, columns = 0] = shape;
  invariant(shape.length === 2, `a matrix of shape [${shape.join(", ")}]`);
  const transposed = new Float32Array(values.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      transposed[column * rows + row] = values[row * columns + column]!;
    }
  }
  return { shape: [columns, rows], values: transposed };
}
