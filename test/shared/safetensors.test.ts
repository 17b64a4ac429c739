import fc from "fast-check";
import { expect, test } from "vitest";
import { LockstepError } from "../../src/shared/errors.ts";
import { decodeTensorFile, encodeTensorFile, encodeValues, type Tensor } from "../../src/shared/safetensors.ts";

const NAN_FREE = { noNaN: true } as const;

test("metadata and tensors survive a round trip, at any place in a buffer", () => {
  const name = fc.string().filter((text) => text !== "__metadata__");
  const shapes = fc.array(fc.nat(3), { maxLength: 3 });
  const tensor = shapes.chain((shape) => {
    const size = shape.reduce((product, extent) => product * extent, 1);
    return fc
      .float32Array({ ...NAN_FREE, minLength: size, maxLength: size })
      .map((values): Tensor => ({ shape, values }));
  });
  fc.assert(
    fc.property(
      fc.array(fc.tuple(name, tensor)),
      fc.array(fc.tuple(fc.string(), fc.string())),
      fc.nat(7),
      (someTensors, someMetadata, shift) => {
        const [tensors, metadata] = [new Map(someTensors), new Map(someMetadata)];
        const data = encodeValues(tensors.values());
        const bytes = encodeTensorFile({ metadata, tensors, data });
        const buffer = new Uint8Array(bytes.length + 7);
        buffer.set(bytes, shift);
        const found = decodeTensorFile(buffer.subarray(shift, shift + bytes.length), "x");
        expect(found.metadata).toEqual(metadata);
        expect(found.tensors).toEqual(tensors);
        expect(found.data).toEqual(data);
        expect((bytes.length - data.length) % 8).toBe(0);
      },
    ),
  );
});

test("the bytes are what the format says", () => {
  const tensors = new Map([["a", { shape: [1, 2], values: Float32Array.of(1, -2) }]]);
  const bytes = encodeTensorFile({ metadata: new Map([["k", "v"]]), tensors, data: encodeValues(tensors.values()) });
  const header = '{"__metadata__":{"k":"v"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]}}';
  const padded = header.padEnd(88);
  expect([...bytes.subarray(0, 8)]).toEqual([88, 0, 0, 0, 0, 0, 0, 0]);
  expect(new TextDecoder().decode(bytes.subarray(8, 96))).toBe(padded);
  expect([...bytes.subarray(96)]).toEqual([0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0]);
});

const TENSOR = { dtype: "F32", shape: [2], data_offsets: [0, 8] };

test.each([
  { what: "nothing", bytes: [], says: "x is empty" },
  { what: "seven bytes", bytes: [1, 2, 3, 4, 5, 6, 7], says: "x is truncated: 7 bytes" },
  {
    what: "a zip file, as torch.save makes",
    bytes: [0x50, 0x4b, 3, 4, 0, 0, 8, 8, 0, 0, 1, 1],
    says: "x is not a safetensors file",
  },
  {
    what: "a header longer than the file",
    bytes: file("{}", 0).with(0, 200),
    says: "x is truncated: its header takes 200 bytes, but only 2 follow",
  },
  {
    what: "a header of 2^64 - 1 bytes",
    bytes: file("{}", 0).fill(255, 0, 8),
    says: "its header takes 18446744073709551615 bytes",
  },
  { what: "a header that is not JSON", bytes: file("{a}", 0), says: "its header is not JSON" },
  { what: "a header that is not UTF-8", bytes: file('{"\u00e9":1}', 0).with(10, 0xff), says: "its header is not JSON" },
  { what: "an entry that is no object", bytes: file({ a: 1 }, 8), says: 'x: tensor "a" is not a JSON object' },
  { what: "an entry that is null", bytes: file({ a: null }, 8), says: 'x: tensor "a" is not a JSON object' },
  {
    what: "metadata that is a list",
    bytes: file({ __metadata__: [] }, 0),
    says: "x: __metadata__ is not a JSON object",
  },
  {
    what: "metadata that is a number",
    bytes: file({ __metadata__: { k: 1 } }, 0),
    says: 'x: metadata "k" is not a string',
  },
  {
    what: "half precision",
    bytes: file({ a: { ...TENSOR, dtype: "F16" } }, 8),
    says: 'x: tensor "a" has dtype "F16"; expected "F32"',
  },
  {
    what: "a negative extent",
    bytes: file({ a: { ...TENSOR, shape: [-2] } }, 8),
    says: 'x: tensor "a" has no valid shape',
  },
  {
    what: "a fractional extent",
    bytes: file({ a: { ...TENSOR, shape: [0.5] } }, 8),
    says: 'x: tensor "a" has no valid shape',
  },
  {
    what: "no shape",
    bytes: file({ a: { ...TENSOR, shape: undefined } }, 8),
    says: 'x: tensor "a" has no valid shape',
  },
  {
    what: "three offsets",
    bytes: file({ a: { ...TENSOR, data_offsets: [0, 4, 8] } }, 8),
    says: "no valid data_offsets",
  },
  {
    what: "a shape larger than its place",
    bytes: file({ a: { ...TENSOR, shape: [3] } }, 8),
    says: 'x: tensor "a" takes 8 bytes; expected 12 for shape [3]',
  },
  {
    what: "an astronomic shape",
    bytes: file({ a: { ...TENSOR, shape: [2 ** 52, 2 ** 52] } }, 8),
    says: 'x: tensor "a" takes 8 bytes',
  },
  {
    what: "backward offsets",
    bytes: file({ a: { ...TENSOR, data_offsets: [8, 0] } }, 8),
    says: 'x: tensor "a" takes -8 bytes',
  },
  {
    what: "data cut short",
    bytes: file({ a: TENSOR }, 7),
    says: 'x is truncated: tensor "a" ends at byte 8 of the data, which has 7',
  },
  { what: "data too long", bytes: file({ a: TENSOR }, 9), says: "x has 1 bytes too many after its last tensor" },
  {
    what: "a gap",
    bytes: file({ a: { ...TENSOR, data_offsets: [4, 12] } }, 12),
    says: 'x: tensor "a" leaves a gap before it',
  },
  {
    what: "an overlap",
    bytes: file({ a: TENSOR, b: { ...TENSOR, data_offsets: [4, 12] } }, 12),
    says: 'x: tensor "b" overlaps the tensor before it',
  },
])("refuses $what", ({ bytes, says }) => {
  const refusal = { code: "refused", message: expect.stringContaining(says) };
  expect(() => decodeTensorFile(Uint8Array.from(bytes), "x")).toThrow(expect.objectContaining(refusal));
});

test("a tensor called __proto__ is a tensor like any other", () => {
  const bytes = file(`{"__proto__":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}`, 4);
  expect([...decodeTensorFile(bytes, "x").tensors.keys()]).toEqual(["__proto__"]);
  expect(Object.hasOwn(Object.prototype, "dtype")).toBe(false);
});

test("anything at all is either read or refused", () => {
  const header = fc.oneof(
    fc.json(),
    fc.dictionary(fc.string(), fc.constant(TENSOR)).map((some) => JSON.stringify(some)),
  );
  fc.assert(
    fc.property(header, fc.nat(20), (json, dataBytes) => {
      try {
        decodeTensorFile(file(json, dataBytes), "x");
      } catch (error) {
        expect(error).toBeInstanceOf(LockstepError);
      }
    }),
  );
});

/** A file with this header and so many zero bytes of data. */
function file(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + dataBytes);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  return bytes;
}
