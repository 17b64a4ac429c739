import { Packr } from "msgpackr";
import { expect } from "vitest";
import { LockstepError } from "../../src/shared/errors.ts";
import { SLICES } from "../../src/shared/model/contribution.ts";
import { decodeFromWorker, type Frames } from "../../src/shared/protocol/codec.ts";
import { PROTOCOL_VERSION, type Spent, type WorkerMessage } from "../../src/shared/protocol/messages.ts";

const packr = new Packr({ useRecords: false });
export const pack = (value: unknown): Uint8Array => packr.pack(value);

/** Of results whose times do not matter. */
export const NO_TIME = { wait: 0, gather: 0, compute: 0, held: 0 } as const satisfies Spent;

/** One message of each kind that matters here. */
export const SAMPLE = {
  hello: {
    ...{
      type: "hello",
      protocol: PROTOCOL_VERSION,
      incarnation: "a",
      host: "h",
      pid: 100,
      engine: "wasm",
      device: "cpu",
    },
    ...{ dataDigest: "0".repeat(64), modelDigest: "f".repeat(64) },
  },
  ready: { type: "ready", session: "c/1" },
  evaluated: { type: "evaluated", session: "c/1", version: 100, chunk: 3, correct: 77 },
  result: { type: "result", session: "c/1", step: 70, slice: "conv", spent: NO_TIME, nodes: [{ level: 0, index: 5 }] },
  pong: { type: "pong", session: "c/1", id: 7, computed: 100, ready: true, idle: false },
} as const satisfies Record<string, WorkerMessage>;

/** The payload of `SAMPLE.result`. */
export const convFrame = (): Uint8Array => new Uint8Array(SLICES.conv.contributionLength * 4);

/** The error that a message is refused with; fails when it is taken, or refused in any other way. */
export function refusal(frames: Frames, decode: (frames: Frames) => unknown = decodeFromWorker): LockstepError {
  try {
    decode(frames);
  } catch (thrown) {
    expect(thrown).toBeInstanceOf(LockstepError);
    const error = thrown as LockstepError;
    expect(error.code).toBe("protocol");
    expect(error.message).toMatch(/^malformed message: \S/);
    expect(error.message.length, "a sentence, not a flood").toBeLessThan(500);
    return error;
  }
  return expect.fail("the message was taken");
}

/** Whatever was decoded before: the next message means what it says, and no object has got anything new. */
export function expectUnharmed(): void {
  expect(decodeFromWorker([pack(SAMPLE.hello)]).header).toEqual(SAMPLE.hello);
  expect(decodeFromWorker([pack(SAMPLE.result), convFrame()]).header).toEqual(SAMPLE.result);
  expect(Object.keys(Object.prototype)).toEqual([]);
}
