import { bytesOf, wordsOf } from "../shared/protocol/codec.ts";
import type { Assign } from "../shared/protocol/messages.ts";

interface Kept {
  readonly samples: Uint32Array;
  /** Where each shard's samples begin, and where the last one's end. */
  readonly starts: readonly number[];
}

/** The sample indices that came with the assignments that are not answered yet. */
export class KeptSamples {
  readonly #kept = new Map<number, Kept>();

  /** @param frame the uint32 sample indices of all shards, in order; they are copied */
  keep(task: number, { shards }: Assign, frame: Uint8Array): void {
    const starts = [0];
    for (const { count } of shards) starts.push((starts.at(-1) ?? 0) + count);
    this.#kept.set(task, { samples: wordsOf(frame), starts });
  }

  forget(task: number): void {
    this.#kept.delete(task);
  }

  /** The samples of some of the shards, one shard after the other: a frame that is new each time. */
  of(task: number, items: readonly number[]): Uint8Array {
    const { samples, starts } = this.#kept.get(task) ?? { samples: new Uint32Array(0), starts: [] };
    const parts = items.map((item) => samples.subarray(starts[item], starts[item + 1]));
    const all = new Uint32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let start = 0;
    for (const part of parts) {
      all.set(part, start);
      start += part.length;
    }
    return bytesOf(all);
  }
}
