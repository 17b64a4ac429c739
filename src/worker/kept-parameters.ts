import { invariant } from "../shared/errors.ts";
import type { SliceName } from "../shared/model/contribution.ts";
import { floatsInto } from "../shared/protocol/codec.ts";
import { COPIES, copyOf } from "../shared/protocol/holdings.ts";
import type { PayloadMemory } from "../shared/transport/transport.ts";

/** A version of the parameters: as training goes on from it, or averaged. */
export interface VersionName {
  readonly version: number;
  readonly averaged: boolean;
}

interface Kept {
  readonly version: number;
  readonly values: Float32Array;
}

const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

/** The slices of the state vector that a worker keeps, as `Holdings` counts them, in the frames in which they came. */
export class KeptParameters {
  readonly #memory: PayloadMemory;
  readonly #kept: Record<SliceName, (Kept | undefined)[]>;

  /** @param memory of the transport that the frames come from */
  constructor(memory: PayloadMemory) {
    this.#memory = memory;
    const nothing = (): undefined[] => Array.from({ length: COPIES }, () => undefined);
    this.#kept = { dense: nothing(), conv: nothing() };
  }

  /** @param frame the slice's float32 values as received */
  keep(slice: SliceName, { version, averaged }: VersionName, frame: Uint8Array): void {
    const copies = this.#kept[slice];
    const place = copyOf(version, averaged);
    const former = copies[place];
    this.#memory.retain(frame);
    copies[place] = { version, values: alignedFloats(frame) };
    if (former !== undefined) this.#memory.release(former.values);
  }

  /** Whether this very version stands where it belongs. */
  has(slice: SliceName, { version, averaged }: VersionName): boolean {
    return this.#kept[slice][copyOf(version, averaged)]?.version === version;
  }

  /** The slice's values, which are not to be written to. */
  of(slice: SliceName, { version, averaged }: VersionName): Float32Array {
    const kept = this.#kept[slice][copyOf(version, averaged)];
    invariant(kept?.version === version, `slice ${slice} of version ${version} was not received`);
    return kept.values;
  }
}

/** A frame's numbers where they lie, or copied to where they can be read as such: frames can lie at any byte offset. */
function alignedFloats(frame: Uint8Array): Float32Array {
  const { buffer, byteOffset, byteLength } = frame;
  if (byteOffset % FLOAT_BYTES === 0) return new Float32Array(buffer, byteOffset, byteLength / FLOAT_BYTES);
  const copy = new Float32Array(byteLength / FLOAT_BYTES);
  floatsInto(copy, frame);
  return copy;
}
