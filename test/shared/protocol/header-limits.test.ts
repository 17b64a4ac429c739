import { expect, test } from "vitest";
import { headerProblem } from "../../../src/shared/protocol/header-limits.ts";
import { decodeFromCoordinator, decodeFromWorker } from "../../../src/shared/protocol/codec.ts";
import { LIMITS, type WorkerMessage } from "../../../src/shared/protocol/messages.ts";
import { NO_TIME, pack, SAMPLE } from "../../support/messages.ts";

const LIMIT = { depth: 2, values: 10, keyBytes: 24 };
const problemOf = (...bytes: (number | string)[]): string | undefined => {
  const parts = bytes.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.of(part)));
  return headerProblem(Buffer.concat(parts), LIMIT);
};

test.each<[string, (number | string)[], RegExp | undefined]>([
  [
    "every kind that is allowed",
    [0x84, 0xa1, "a", 0xd9, 1, "x", 0xa1, "b", 0xc3, 0xa1, "c", 0xe0, 0xa1, "d", 0x90],
    undefined,
  ],
  [
    "whole numbers of all sizes",
    [0x82, 0xa1, "a", 0xd3, "12345678", 0xa1, "b", 0xcb, "\x41\xf0\0\0\0\0\0\0"],
    undefined,
  ],
  ["text beyond ASCII", [0x81, 0xa1, "a", 0xa2, "\xc3\xbc"], undefined],
  ["a key of one byte more length", [0x81, 0xd9, 1, "a", 1], undefined],
  ["the same key twice", [0x82, 0xa2, "ab", 1, 0xa2, "ab", 2], /same key twice/],
  ["the same key twice, told in two ways", [0x82, 0xa2, "ab", 1, 0xd9, 2, "ab", 2], /same key twice/],
  ["the same key in two maps", [0x82, 0xa1, "a", 0x81, 0xa1, "a", 1, 0xa1, "b", 0x81, 0xa1, "a", 1], undefined],
  ["a key that is a number", [0x81, 1, 1], /a key that is no text/],
  ["a key that is a map", [0x81, 0x80, 1], /a key that is no text/],
  ["an empty key", [0x81, 0xa0, 1], /a key that is no text/],
  ["__proto__", [0x81, 0xa9, "__proto__", 0x80], /more than Latin letters/],
  ["a key longer than any", [0x81, 0xb9, "x".repeat(25), 1], /of 1 to 24 bytes/],
  ["overlong UTF-8", [0x81, 0xa1, "a", 0xa2, "\xc0\x80"], /not UTF-8/],
  ["half a surrogate pair", [0x81, 0xa1, "a", 0xa3, "\xed\xa0\x80"], /not UTF-8/],
  ["nothing", [0x81, 0xa1, "a", 0xc0], /kind 0xc0/],
  ["a byte that MessagePack does not use", [0x81, 0xa1, "a", 0xc1], /kind 0xc1/],
  ["binary", [0x81, 0xa1, "a", 0xc4, 1, "x"], /kind 0xc4/],
  ["an extension", [0x81, 0xa1, "a", 0xd4, 0x72, 0x40], /kind 0xd4/],
  ["a short float", [0x81, 0xa1, "a", 0xca, "\0\0\0\0"], /kind 0xca/],
  ["minus zero", [0x81, 0xa1, "a", 0xcb, "\x80\0\0\0\0\0\0\0"], /minus zero/],
  ["too deep", [0x81, 0xa1, "a", 0x91, 0x91, 1], /more than 2 maps and lists within each other/],
  ["too many values", [0x81, 0xa1, "a", 0x9a, "0123456789"], /more than 10 values/],
  ["a map of more fields than any message has", [0xde, 0, 33, "x".repeat(66)], /33 fields, at most 32/],
  ["a list of 4 billion entries", [0x81, 0xa1, "a", 0xdd, 0xff, 0xff, 0xff, 0xff, 1], /claims more than it has/],
  ["a map of 4 billion fields", [0xdf, 0xff, 0xff, 0xff, 0xff, 0xa1, "a", 1], /claims more than it has/],
  ["a text of 4 billion bytes", [0x81, 0xa1, "a", 0xdb, 0xff, 0xff, 0xff, 0xff, 1], /claims more than it has/],
  ["the end within a number", [0x81, 0xa1, "a", 0xce, 1, 2], /ends within a value/],
  ["no byte", [], /ends within a value/],
  ["a list", [0x91, 1], /begins with byte 0x91, which is no map/],
  ["something behind", [0x80, 1, 2], /2 bytes follow it/],
])("%s", (_, bytes, expected) => {
  if (expected === undefined) expect(problemOf(...bytes)).toBeUndefined();
  else expect(problemOf(...bytes)).toMatch(expected);
});

test("the largest messages that there can be are within the limits", () => {
  const nodes = Array.from({ length: LIMITS.nodes }, (_, i) => ({ level: 16, index: LIMITS.shardsPerBatch - i }));
  const result: WorkerMessage = {
    ...SAMPLE.result,
    session: "s".repeat(100),
    step: LIMITS.steps,
    nodes,
    spent: NO_TIME,
  };
  const sums = nodes.map(() => new Uint8Array(10_464));
  expect(decodeFromWorker([pack(result), ...sums]).header).toEqual(result);
  const shards = Array.from({ length: LIMITS.shardsPerBatch }, (_, i) => ({ index: i, count: 32 }));
  const assign = {
    ...{ type: "assign", session: "s".repeat(100), step: LIMITS.steps, epoch: LIMITS.steps, slices: [], shards },
    ...{ shardCount: LIMITS.shardsPerBatch, globalCount: LIMITS.samplesPerBatch },
  };
  const samples = new Uint8Array(4 * LIMITS.samplesPerBatch);
  expect(decodeFromCoordinator([pack(assign), samples]).header).toEqual(assign);
});

test("what could rewrite a terminal or a line's order is replaced, and what is only compared must be plain", () => {
  const host = "a\u001b[2Jb\u202ec\u2028d\u0000e\r\nf";
  expect(decodeFromWorker([pack({ ...SAMPLE.hello, host })]).header).toMatchObject({ host: "a [2Jb c d e  f" });
  for (const incarnation of ["", "a b", "a\nb", "é", "x".repeat(101)]) {
    expect(() => decodeFromWorker([pack({ ...SAMPLE.hello, incarnation })])).toThrow("incarnation");
  }
});
