import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { decodeFromCoordinator, decodeFromWorker, type Frames } from "../../../src/shared/protocol/codec.ts";
import { LIMITS, type WorkerMessage, workerHeader } from "../../../src/shared/protocol/messages.ts";
import { convFrame, expectUnharmed, pack, refusal, SAMPLE } from "../../support/messages.ts";
import { arbitraryFor } from "../../support/schema-arbitrary.ts";

afterEach(expectUnharmed);

describe("hostile msgpack", () => {
  const bytes = (...values: number[]): Uint8Array => Uint8Array.from(values);

  test.each([
    ["lists", 0x91],
    ["maps", 0x81],
  ])("%s nested to the limit of a header's length are refused", (_, token) => {
    refusal([new Uint8Array(LIMITS.headerBytes).fill(token)]);
    refusal([Buffer.concat([new Uint8Array(LIMITS.headerBytes - 1).fill(token), bytes(0xc0)])]);
  });

  test.each([
    ["list", 0xdd],
    ["map", 0xdf],
    ["text", 0xdb],
    ["binary", 0xc6],
    ["extension", 0xc9],
  ])("a %s that claims 4 billion entries is refused at once", (_, token) => {
    const before = process.memoryUsage().rss;
    refusal([bytes(token, 0xff, 0xff, 0xff, 0xff, 1, 2, 3)]);
    refusal([bytes(token, 0x7f, 0xff, 0xff, 0xff, 1, 2, 3)]);
    expect(process.memoryUsage().rss - before).toBeLessThan(200e6);
  });

  test("every extension type is refused as a header, as a field and as a type", () => {
    const ready = [...pack({ type: "ready", session: "" }).subarray(0, -1)];
    for (let type = 0; type < 256; type++) {
      for (const data of [
        [0xd4, type, 0x40],
        [0xd5, type, 0x40, 0x91],
        [0xd6, type, 0, 0, 0, 1],
        [0xd7, type, 0, 0, 0, 1, 0, 0, 0, 2],
        [0xc7, 3, type, 1, 2, 3],
      ]) {
        refusal([bytes(...data)]);
        refusal([bytes(...ready, ...data)]);
        refusal([bytes(0x82, 0xa4, ...Buffer.from("type"), ...data, 0xa1, 0x61, 1)]);
      }
    }
  });

  test("a record definition does not change what later numbers mean", () => {
    // msgpackr's own extension "r": structure 0x64 has the fields "type" and "session"; then one such record.
    const definition = [0xd4, 0x72, 0x64, 0x92, 0xa4, ...Buffer.from("type"), 0xa7, ...Buffer.from("session")];
    const record = [0xa5, ...Buffer.from("ready"), 0xa1, 0x73];
    try {
      decodeFromWorker([bytes(...definition, ...record)]);
    } catch (thrown) {
      expect(thrown).toMatchObject({ code: "protocol" });
    }
    expect(decodeFromWorker([pack({ ...SAMPLE.hello, pid: 0x64 })]).header).toMatchObject({ pid: 0x64 });
  });
});

describe("damage", () => {
  const seen = fc.oneof(arbitraryFor(workerHeader), fc.constantFrom(...Object.values(SAMPLE)));

  const frame = convFrame();

  /** Either the message is taken, and then valid, or it is refused with a sentence. */
  const survives = (frames: Frames): void => {
    let header: WorkerMessage;
    try {
      ({ header } = decodeFromWorker(frames));
    } catch {
      refusal(frames);
      return;
    }
    expect(workerHeader.safeParse(header).success).toBe(true);
  };

  test("random bytes are refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (header) => {
        refusal([header]);
        refusal([header], decodeFromCoordinator);
      }),
      { numRuns: 5_000 },
    );
  }, 30_000);

  test("changed, cut and lengthened headers are refused, or happen to be valid", () => {
    const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(seen, flips, fc.nat(300), fc.uint8Array({ maxLength: 3 }), (message, changes, length, tail) => {
        const header = Buffer.from(pack(message));
        for (const [at, value] of changes) header[at % header.length] = value;
        survives(message.type === "result" ? [header, frame] : [header]);
        survives([Buffer.from(pack(message)).subarray(0, length)]);
        survives([Buffer.concat([pack(message), tail])]);
        expect(decodeFromWorker([pack(SAMPLE.hello)]).header).toEqual(SAMPLE.hello);
      }),
      { numRuns: 3_000 },
    );
  }, 30_000);
});
