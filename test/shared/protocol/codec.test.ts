import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { SLICES } from "../../../src/shared/model/contribution.ts";
import {
  decodeFromCoordinator,
  decodeFromWorker,
  encode,
  floatsInto,
  type Frames,
  wordsOf,
} from "../../../src/shared/protocol/codec.ts";
import {
  type CoordinatorMessage,
  coordinatorHeader,
  LIMITS,
  type WorkerMessage,
  workerHeader,
} from "../../../src/shared/protocol/messages.ts";
import { expectSameBits, randomVector } from "../../support/floats.ts";
import { convFrame, expectUnharmed, pack, refusal, SAMPLE } from "../../support/messages.ts";
import { variantsOf } from "../../support/schema-arbitrary.ts";

afterEach(expectUnharmed);

/** Payloads of the lengths that a header calls for. */
function payloadFor(header: WorkerMessage | CoordinatorMessage): (Float32Array | Uint32Array)[] {
  switch (header.type) {
    case "result":
      return header.nodes.map((_, i) => randomVector(SLICES[header.slice].contributionLength, i));
    case "parameters":
      return [randomVector(SLICES[header.slice].stateLength, 3)];
    case "assign":
      return [
        new Uint32Array(header.shards.reduce((sum, shard) => sum + shard.count, 0)).fill(0xfedcba98),
        ...header.slices.map((slice, i) => randomVector(SLICES[slice].stateLength, i)),
      ];
    default:
      return [];
  }
}

/** Copies frames to where sockets may put them: at any byte offset of a larger buffer. */
function moved(frames: Frames, offset: number): Uint8Array[] {
  return frames.map((frame) => {
    const buffer = Buffer.alloc(frame.byteLength + offset + 5, 0xff);
    buffer.set(frame, offset);
    return buffer.subarray(offset, offset + frame.byteLength);
  });
}

/** Keeps payloads small: sizes are for other tests. */
function small(header: unknown): WorkerMessage | CoordinatorMessage {
  const message = header as WorkerMessage | CoordinatorMessage;
  if (message.type === "result") return { ...message, nodes: message.nodes.slice(0, 2) };
  if (message.type !== "assign") return message;
  return { ...message, shards: message.shards.map((shard) => ({ ...shard, count: (shard.count % 40) + 1 })) };
}

describe.each([
  ["workers", workerHeader, decodeFromWorker],
  ["the coordinator", coordinatorHeader, decodeFromCoordinator],
] as const)("messages of %s", (_, schema, decode) => {
  test.each([...variantsOf(schema)])("%s comes back as it was, from any byte offset", (_type, arbitrary) => {
    fc.assert(
      fc.property(arbitrary.map(small), fc.nat(7), (header, offset) => {
        const payload = payloadFor(header);
        const decoded = decode(moved(encode(header, ...payload), offset));
        expect(decoded.header).toEqual(header);
        expect(decoded.payload).toHaveLength(payload.length);
        for (const [i, numbers] of payload.entries()) {
          const frame = decoded.payload[i]!;
          if (numbers instanceof Uint32Array) {
            expect(wordsOf(frame)).toEqual(numbers);
          } else {
            const target = new Float32Array(numbers.length);
            floatsInto(target, frame);
            expectSameBits(target, numbers);
          }
        }
      }),
      { numRuns: 40 },
    );
  });
});

test("floats keep their bits: NaN payloads, infinities, denormals, zeros of both signs", () => {
  const words = Uint32Array.of(0x7fc00001, 0xff800000, 0x7f800000, 1, 0x80000000, 0);
  const frame = Buffer.alloc(25);
  frame.set(new Uint8Array(words.buffer), 1);
  const target = new Float32Array(7).fill(3);
  floatsInto(target, frame.subarray(1));
  expect([...new Uint32Array(target.buffer, 0, 6)]).toEqual([...words]);
  expect(target[6], "what lies behind").toBe(3);
});

describe("frames", () => {
  const header = pack(SAMPLE.result);

  test.each<[string, Frames, RegExp]>([
    ["no frame at all", [], /the message is empty/],
    ["an empty header", [new Uint8Array(0)], /the header is not/],
    ["too many frames", Array.from({ length: LIMITS.frames + 1 }, () => header), /65 frames, at most 64 are allowed/],
    ["too long a header", [new Uint8Array(LIMITS.headerBytes + 1)], /65537 bytes, at most 65536 are allowed/],
    ["a payload too few", [header], /"result" has 0 payload frames, 1 expected/],
    ["a payload too many", [header, convFrame(), convFrame()], /"result" has 2 payload frames, 1 expected/],
    ["a payload where none belongs", [pack(SAMPLE.ready), convFrame()], /"ready" has 1 payload frames, 0 expected/],
    ["too short a payload", [header, convFrame().subarray(1)], /payload 0 of "result" has 10463 bytes, 10464 expected/],
    ["too long a payload", [header, new Uint8Array(10_468)], /payload 0 of "result" has 10468 bytes, 10464 expected/],
    ["bytes behind the header", [Buffer.concat([pack(SAMPLE.ready), Buffer.of(1)])], /the header is not msgpack/],
    ["a header cut short", [pack(SAMPLE.hello).subarray(0, 40)], /the header is not msgpack/],
  ])("%s is refused", (_, frames, message) => {
    expect(refusal(frames).message).toMatch(message);
  });

  test("the other side's messages are refused", () => {
    refusal([pack({ type: "ping", session: "s" })]);
    refusal([pack(SAMPLE.ready)], decodeFromCoordinator);
  });

  test("samples that do not match the shards are refused", () => {
    const shards = [{ index: 0, count: 3 }];
    const assign = {
      type: "assign",
      session: "s",
      step: 0,
      epoch: 0,
      shardCount: 1,
      globalCount: 3,
      shards,
      slices: [],
    };
    expect(refusal([pack(assign), new Uint8Array(8)], decodeFromCoordinator).message).toContain("12 expected");
  });
});

describe("headers", () => {
  test.each<[string, unknown, RegExp]>([
    ["nothing", null, /not valid/],
    ["a number", 7, /not valid/],
    ["a text", "hello", /not valid/],
    ["a list", [SAMPLE.ready], /not valid/],
    ["no type", { session: "s" }, /not valid: type/],
    ["an unknown type", { ...SAMPLE.ready, type: "shutdown" }, /not valid: type/],
    ["a missing field", { type: "ready" }, /not valid: session/],
    ["a field too many", { ...SAMPLE.ready, admin: true }, /Unrecognized key: "admin"/],
    ["a very long field too many", { ...SAMPLE.ready, ["x".repeat(60_000)]: true }, /a key that is no text/],
    ["an empty session", { ...SAMPLE.ready, session: "" }, /session/],
    ["too long a text", { ...SAMPLE.hello, host: "x".repeat(2_001) }, /host/],
    ["a digest in capitals", { ...SAMPLE.hello, dataDigest: "F".repeat(64) }, /dataDigest/],
    ["no nodes", { ...SAMPLE.result, nodes: [] }, /nodes/],
    [
      "more nodes than frames",
      { ...SAMPLE.result, nodes: Array.from({ length: 64 }, () => ({ level: 0, index: 0 })) },
      /nodes/,
    ],
    ["a node with a field too many", { ...SAMPLE.result, nodes: [{ level: 0, index: 0, x: 1 }] }, /nodes.0/],
    ["an unknown slice", { ...SAMPLE.result, slice: "toString" }, /slice/],
  ])("%s is refused", (_, header, message) => {
    expect(refusal([pack(header)]).message).toMatch(message);
  });

  test.each([NaN, Infinity, -Infinity, -1, 0.5, 2 ** 53, 2n ** 60n, "3", true, [3], { value: 3 }])(
    "%s is no integer, wherever one belongs",
    (value) => {
      for (const [name, field] of [
        ["result", "step"],
        ["evaluated", "version"],
        ["evaluated", "chunk"],
        ["evaluated", "correct"],
        ["pong", "computed"],
        ["hello", "pid"],
      ] as const) {
        expect(refusal([pack({ ...SAMPLE[name], [field]: value })]).message).toContain(field);
      }
      for (const field of ["level", "index"]) {
        const nodes = [{ level: 0, index: 0, [field]: value }];
        expect(refusal([pack({ ...SAMPLE.result, nodes })]).message).toContain(`nodes.0.${field}`);
      }
    },
  );

  test.each(["__proto__", "constructor", "prototype", "toString", "hasOwnProperty", "valueOf"])(
    "a key %s is refused and pollutes nothing",
    (key) => {
      const asMap = new Map<unknown, unknown>(Object.entries(SAMPLE.ready));
      asMap.set(key, new Map([["polluted", true]]));
      refusal([pack(asMap)]);
      const asType = new Map<unknown, unknown>([
        ["type", key],
        ["session", "s"],
      ]);
      refusal([pack(asType)]);
      expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
    },
  );

  test("a __proto__ that brings the missing fields does not count", () => {
    const header = new Map<unknown, unknown>([
      ["type", "ready"],
      ["__proto__", new Map([["session", "s"]])],
    ]);
    refusal([pack(header)]);
  });
});
