import type { CheckpointSink } from "../../../src/coordinator/run-checkpoints.ts";
import type { Resumption } from "../../../src/coordinator/resumption.ts";
import { type Checkpoint, decodeCheckpoint, encodeCheckpoint } from "../../../src/shared/checkpoint.ts";
import type { FakeClock } from "../../support/fake-clock.ts";

const KEPT = 3;

/** A disk that outlives coordinators. Writing takes time, and what is not written when one is killed is lost. */
export class MemoryCheckpoints {
  /** The newest first. */
  #durable: readonly Checkpoint[] = [];
  readonly #onSave: (checkpoint: Checkpoint) => void;

  /** @param onSave is told everything that is to be saved, at once */
  constructor(onSave: (checkpoint: Checkpoint) => void) {
    this.#onSave = onSave;
  }

  /**
   * What one life of the coordinator writes to: one checkpoint at a time, and of those that wait the newest.
   * @param writingMs how long the next one takes
   */
  sink(clock: FakeClock, writingMs: () => number): CheckpointSink {
    let written = Promise.resolve();
    let newest: Checkpoint | undefined;
    const writeAfter = async (former: Promise<void>, copy: Checkpoint): Promise<void> => {
      await former;
      if (newest !== copy) return;
      await clock.sleep(writingMs());
      this.#durable = [copy, ...this.#durable].slice(0, KEPT);
    };
    const write = (checkpoint: Checkpoint): void => {
      this.#onSave(checkpoint);
      newest = copyOf(checkpoint);
      written = writeAfter(written, newest);
    };
    return {
      save: write,
      saveLast: async (checkpoint) => {
        write(checkpoint);
        await written;
        return pathOf(checkpoint);
      },
      settled: () => written,
    };
  }

  /**
   * Where the next life goes on, as it comes back from a file; undefined when that is the beginning.
   * @param damaged how many of the newest cannot be read
   */
  load(damaged: number): Resumption | undefined {
    const checkpoint = this.#durable[damaged];
    if (checkpoint === undefined) return undefined;
    const path = pathOf(checkpoint);
    return { path, checkpoint: decodeCheckpoint(encodeCheckpoint(checkpoint), path) };
  }
}

const pathOf = ({ step }: Checkpoint): string => `the checkpoint of step ${step}`;

/** The coordinator goes on to change what it saves. */
function copyOf(checkpoint: Checkpoint): Checkpoint {
  const { state, latest, adamM, adamV } = checkpoint;
  const copies = { state: state.slice(), latest: latest.slice(), adamM: adamM.slice(), adamV: adamV.slice() };
  return { ...checkpoint, ...copies };
}
