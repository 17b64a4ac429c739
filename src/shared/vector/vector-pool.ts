import type { Vector, VectorMemory } from "./vector-memory.ts";

/** Vectors of one length, used again and again. */
export interface VectorPool {
  /** A vector whose contents are undefined. */
  borrow(): Vector;
  giveBack(vector: Vector): void;
}

/** Vectors that nobody else sees. */
export function privatePool(memory: VectorMemory, length: number): VectorPool {
  const spare: Vector[] = [];
  return {
    borrow: () => spare.pop() ?? memory.allocate(length),
    giveBack: (vector) => void spare.push(vector),
  };
}
