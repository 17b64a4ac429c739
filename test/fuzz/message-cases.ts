import fc from "fast-check";
import type { z } from "zod";
import type { Frames } from "../../src/shared/protocol/codec.ts";
import { pack } from "../support/messages.ts";
import { arbitraryFor } from "../support/schema-arbitrary.ts";
import { changed, someChanges } from "./byte-changes.ts";

/** Frames that look like messages, the better the more harm they might do. */

/** What a field may hold that no field should. */
const ODD_VALUES: readonly unknown[] = [
  ...[NaN, -0, 0.5, -1, Infinity, 2 ** 31, 2 ** 32, 2 ** 53, 1e308, 2n ** 60n, -(2n ** 62n), true, null, undefined],
  ...["", "__proto__", "a\u0000b", "\u001b[2J", "\ud800", "\u202e", "x".repeat(2_001), "x".repeat(60_000)],
  ...[
    {},
    [],
    [[[[[]]]]],
    { a: { a: { a: {} } } },
    new Uint8Array(9),
    new Date(0),
    new Map([[{}, 1]]),
    Array(300).fill(0),
  ],
];

const ODD_KEYS: readonly unknown[] = ["__proto__", "constructor", "prototype", "toString", "type", "", 0, null, "é"];

/** First bytes of msgpack values that claim lengths, nest, or are of other kinds. */
const TOKENS = [
  0x81, 0x8f, 0x91, 0x9f, 0xa4, 0xbf, 0xc0, 0xc1, 0xc4, 0xc6, 0xc7, 0xc9, 0xca, 0xcb, 0xcf, 0xd3, 0xd4, 0xd8,
];
const LONG_TOKENS = [0xd9, 0xda, 0xdb, 0xdc, 0xdd, 0xde, 0xdf];

/** Payloads of all lengths share it. */
const ZEROS = new Uint8Array(300_000);
const LENGTHS = [0, 1, 4, 10_463, 10_464, 236_712, 236_720, 236_721];

/** Frames of a message that may be anything; now and then it is valid. */
export function fuzzedFrames(schema: z.ZodType<object>): fc.Arbitrary<Frames> {
  const valid = arbitraryFor(schema);
  const spoiled = fc.tuple(valid, someChanges);
  const mixed = fc.tuple(
    valid,
    valid,
    fc.nat(),
    fc.option(fc.constantFrom(...ODD_VALUES)),
    fc.option(fc.constantFrom(...ODD_KEYS)),
  );
  const soup = fc.array(fc.oneof(fc.constantFrom(...TOKENS, ...LONG_TOKENS), fc.nat(255)), { maxLength: 80 });
  const header = fc.oneof(
    { weight: 2, arbitrary: valid.map(pack) },
    { weight: 8, arbitrary: spoiled.map(([message, changes]) => changed(pack(message), changes)) },
    { weight: 8, arbitrary: mixed.map(([one, other, at, value, key]) => pack(mixture(one, other, at, value, key))) },
    { weight: 3, arbitrary: soup.map((bytes) => Uint8Array.from(bytes)) },
    {
      weight: 2,
      arbitrary: fc.tuple(fc.constantFrom(...TOKENS), fc.nat(5_000)).map(([token, n]) => Buffer.alloc(n, token)),
    },
    { weight: 2, arbitrary: fc.uint8Array({ maxLength: 100 }) },
  );
  const payload = fc.array(
    fc.oneof(fc.constantFrom(...LENGTHS), fc.nat(400)).map((length) => ZEROS.subarray(0, length)),
    { maxLength: 3 },
  );
  return fc.oneof(
    { weight: 20, arbitrary: fc.tuple(header, payload).map(([first, rest]) => [first, ...rest]) },
    { weight: 10, arbitrary: header.map((first) => [first]) },
    { weight: 1, arbitrary: fc.nat(70).map((count) => Array.from({ length: count }, () => ZEROS.subarray(0, 3))) },
  );
}

/** Fields of both, one of them with another value, or a field more. */
function mixture(one: object, other: object, at: number, value: unknown, key: unknown): Map<unknown, unknown> {
  const fields: [unknown, unknown][] = [
    ...Object.entries(one),
    ...Object.entries(other).filter((_, i) => (at >> i) % 2 === 1),
  ];
  const mixed = new Map<unknown, unknown>(fields);
  const names = [...mixed.keys()];
  if (value !== null) mixed.set(names[at % names.length], value);
  if (key !== null) mixed.set(key, new Map([["polluted", true]]));
  return mixed;
}
