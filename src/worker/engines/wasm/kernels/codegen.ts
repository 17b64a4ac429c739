/**
 * Vocabulary of the kernel generators.
 *
 * The kernels are AssemblyScript text. Values of four images lie side by side in one 16-byte vector (a *group*), so an
 * activation [C][H][W] of a group is `[C][H][W][4]` and every kernel is an ordinary loop over vectors: nothing is
 * padded and nothing is shuffled. Weights keep PyTorch's row-major layout; a kernel loads one number into all lanes.
 *
 * The convolutions and the dense layers keep a *tile* of results in registers and loop over what is summed. Two facts
 * about V8's compiler decide how a tile must look:
 *
 * - There are 16 vector registers. Eight accumulators leave room for operands; ten or more are spilled to the stack.
 * - Inside one basic block the scheduler hoists all loads above all arithmetic, which spills the accumulators again and
 *   halves the speed. A *scheduling pin*, `if (pin == k) break;`, ends the block after each tap. The caller passes a
 *   `pin` that equals no k, so the branch is never taken, but the compiler cannot know.
 */

/** Bytes of one number of each of four images. */
export const VECTOR_BYTES = 16;
/** Bytes of one weight. */
export const FLOAT_BYTES = 4;

/** 0, 1, ..., n - 1 */
export const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** The statements of `of(0) ... of(n - 1)`, one line each. */
export const repeat = (n: number, of: (i: number) => string): string => range(n).map(of).join("\n");

/** accumulator += x * y, rounded after each operation: WebAssembly has no fused one that gives equal bits everywhere. */
export const multiplyAdd = (accumulator: string, x: string, y: string): string =>
  `${accumulator} = f32x4.add(${accumulator}, f32x4.mul(${x}, ${y}));`;

/**
 * `steps` pieces of straight-line code with a scheduling pin between each two. The code must stand in a loop, in a
 * function that has the parameter `pin`.
 */
export const pinned = (steps: number, step: (i: number) => string): string =>
  repeat(steps, (i) => (i < steps - 1 ? `${step(i)}\nif (pin == ${i + 1}) break;` : step(i)));
