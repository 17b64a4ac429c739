import fc from "fast-check";

/** Damage to bytes: what disks, networks and people with an editor for bytes do. */

export interface ByteChange {
  readonly what: "flip" | "set" | "cut" | "insert" | "repeat" | "drop";
  /** Taken modulo the length. */
  readonly at: number;
  readonly value: number;
  readonly length: number;
}

const change: fc.Arbitrary<ByteChange> = fc.record({
  what: fc.constantFrom("flip", "set", "cut", "insert", "repeat", "drop"),
  at: fc.nat(),
  value: fc.nat(255),
  length: fc.nat(40),
});

export const someChanges: fc.Arbitrary<readonly ByteChange[]> = fc.array(change, { minLength: 1, maxLength: 5 });

/** @param within changes nothing behind the first so many bytes, which is where a format's header is */
export function changed(bytes: Uint8Array, changes: readonly ByteChange[], within = Infinity): Buffer {
  let result = Buffer.from(bytes);
  for (const { what, at: anywhere, value, length } of changes) {
    const places = Math.min(result.length, within);
    if (places === 0) break;
    const at = anywhere % places;
    if (what === "flip") result[at] = result[at]! ^ (1 << (value % 8));
    else if (what === "set") result[at] = value;
    else result = rejoined(result.subarray(0, at), result.subarray(at), { what, value, length });
  }
  return result;
}

function rejoined(before: Buffer, from: Buffer, { what, value, length }: Omit<ByteChange, "at">): Buffer<ArrayBuffer> {
  switch (what) {
    case "insert":
      return Buffer.concat([before, Buffer.alloc(length, value), from]);
    case "repeat":
      return Buffer.concat([before, from.subarray(0, length), from]);
    case "drop":
      return Buffer.concat([before, from.subarray(length)]);
    default:
      return Buffer.from(before);
  }
}
