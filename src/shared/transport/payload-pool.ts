import type { VectorMemory } from "../vector/vector-memory.ts";
import { privatePool, type VectorPool } from "../vector/vector-pool.ts";
import type { PayloadMemory } from "./transport.ts";

/**
 * Vectors of one length in a memory. Where the transport's payloads lie in the same one, they can be sent as they are, and
 * those that came as messages can be given back to it too.
 */
export function poolFor(payloads: PayloadMemory, memory: VectorMemory, length: number): VectorPool {
  if (payloads.vectors !== memory) return privatePool(memory, length);
  return {
    borrow: () => memory.at(payloads.allocate(length).byteOffset, length),
    giveBack: ({ values }) => payloads.release(values),
  };
}
