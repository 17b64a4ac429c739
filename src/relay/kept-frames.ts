import { invariant } from "../shared/errors.ts";
import type { SliceName } from "../shared/model/contribution.ts";
import { COPIES, copyOf } from "../shared/protocol/holdings.ts";
import type { PayloadMemory } from "../shared/transport/transport.ts";

interface Kept {
  readonly version: number;
  readonly frame: Uint8Array;
}

interface Name {
  readonly slice: SliceName;
  readonly version: number;
  readonly averaged: boolean;
}

/** The slices of the state vector that a relay keeps, as `Holdings` counts them: the frames as they came, to pass on. */
export class KeptFrames {
  readonly #memory: PayloadMemory;
  readonly #kept: Record<SliceName, (Kept | undefined)[]>;

  /** @param memory of the transport that the frames come from */
  constructor(memory: PayloadMemory) {
    this.#memory = memory;
    const nothing = (): undefined[] => Array.from({ length: COPIES }, () => undefined);
    this.#kept = { dense: nothing(), conv: nothing() };
  }

  keep({ slice, version, averaged }: Name, frame: Uint8Array): void {
    const copies = this.#kept[slice];
    const place = copyOf(version, averaged);
    const former = copies[place];
    this.#memory.retain(frame);
    copies[place] = { version, frame };
    if (former !== undefined) this.#memory.release(former.frame);
  }

  /** Never to be written to: it may be on its way to several. */
  of({ slice, version, averaged }: Name): Uint8Array {
    const kept = this.#kept[slice][copyOf(version, averaged)];
    invariant(kept?.version === version, `slice ${slice} of version ${version} was not received`);
    return kept.frame;
  }
}
