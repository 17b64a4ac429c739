import { describe, expect, test } from "vitest";
import { bytesOf } from "../../src/shared/protocol/codec.ts";
import type { PayloadMemory } from "../../src/shared/transport/transport.ts";
import { KeptParameters } from "../../src/worker/kept-parameters.ts";

/** A memory that counts how often each frame's first byte is retained. */
function countingMemory() {
  const uses = new Map<number, number>();
  const count = (by: number) => (vector: Float32Array | Uint8Array) => {
    const place = vector.byteOffset;
    uses.set(place, (uses.get(place) ?? 0) + by);
  };
  const memory: PayloadMemory = {
    ...{ vectors: undefined, allocate: (length: number) => new Float32Array(length) },
    ...{ retain: count(1), release: count(-1) },
  };
  return { memory, uses };
}

const trained = (version: number) => ({ version, averaged: false });

describe("kept parameters", () => {
  test("are the frames themselves, retained until a later version takes their place", () => {
    const { memory, uses } = countingMemory();
    const kept = new KeptParameters(memory);
    const numbers = Float32Array.from({ length: 40 }, (_, i) => i);
    const frames = [0, 1, 2].map((i) => bytesOf(numbers.subarray(i * 10, i * 10 + 10)));
    kept.keep("dense", trained(4), frames[0]!);
    kept.keep("dense", trained(5), frames[1]!);
    expect(kept.of("dense", trained(4)).buffer).toBe(numbers.buffer);
    expect([...kept.of("dense", trained(5))]).toEqual([...numbers.subarray(10, 20)]);
    expect([...uses]).toEqual([
      [0, 1],
      [40, 1],
    ]);
    kept.keep("dense", trained(6), frames[2]!);
    expect([...kept.of("dense", trained(6))]).toEqual([...numbers.subarray(20, 30)]);
    expect([...uses]).toEqual([
      [0, 0],
      [40, 1],
      [80, 1],
    ]);
  });

  test("of a frame that is not aligned are a copy", () => {
    const kept = new KeptParameters(countingMemory().memory);
    const bytes = new Uint8Array(45);
    const frame = bytes.subarray(3, 43);
    frame.set(bytesOf(Float32Array.of(1, 2, 3, 4, 5, 6, 7, 8, 9, 10)));
    kept.keep("conv", trained(0), frame);
    expect([...kept.of("conv", trained(0))]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  test("keep slices and averages apart, and do not make up what never came", () => {
    const kept = new KeptParameters(countingMemory().memory);
    kept.keep("dense", trained(0), bytesOf(Float32Array.of(1)));
    kept.keep("conv", trained(0), bytesOf(Float32Array.of(2)));
    kept.keep("dense", { version: 0, averaged: true }, bytesOf(Float32Array.of(3)));
    expect([...kept.of("dense", trained(0)), ...kept.of("conv", trained(0))]).toEqual([1, 2]);
    expect([...kept.of("dense", { version: 0, averaged: true })]).toEqual([3]);
    expect(() => kept.of("conv", trained(1))).toThrow(/slice conv of version 1/);
    expect(() => kept.of("conv", trained(2)), "in whose place is version 0").toThrow(/slice conv of version 2/);
    expect([kept.has("conv", trained(0)), kept.has("conv", trained(2))]).toEqual([true, false]);
  });
});
