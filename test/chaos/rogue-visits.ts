import { SLICES } from "../../src/shared/model/contribution.ts";
import { encode } from "../../src/shared/protocol/codec.ts";
import { withChecksums } from "../../src/shared/transport/frame-checksums.ts";
import { NO_TIME, pack } from "../support/messages.ts";
import { pourBytes, RogueWorker } from "../support/rogue.ts";
import type { Draws } from "./draws.ts";
import type { Deed } from "./victims.ts";
import type { Waits } from "./waits.ts";

/** Peers that nobody invited, each for a short visit at the coordinator's port. */

/** Nobody is given work while an epoch is evaluated, or the coordinator is down. */
const VISIT_MS = 3_000;

/** What is still on its way when a rogue leaves goes with it. */
const DELIVERY_MS = 200;

/** More than a frame may have: ZeroMQ ends the connection. */
const OVERSIZE_BYTES = 1_500_000;

type Task = Awaited<ReturnType<typeof nextTask>>;

async function nextTask(rogue: RogueWorker) {
  return rogue.until("assign");
}

/** Joins as a worker, waits for work and answers it in its way. What it owes then goes to the others. */
async function visit(
  port: number,
  waits: Waits,
  answer: (rogue: RogueWorker, task: Task) => Promise<void>,
): Promise<boolean> {
  const rogue = await RogueWorker.join(`tcp://127.0.0.1:${port}`);
  try {
    const work = nextTask(rogue).then(async (task) => {
      await answer(rogue, task);
      await waits.wait(DELIVERY_MS);
      return true;
    });
    return await Promise.race([work.catch(() => false), waits.wait(VISIT_MS).then(() => false)]);
  } finally {
    rogue.close();
  }
}

const deed = (isDone: boolean, what: string): Deed => (isDone ? what : undefined);

/** Two devices that compute the same shard as not finite are a training that has diverged: one at a time, then. */
const BETWEEN_BAD_DEVICES_MS = 10_000;
let badDeviceAt = -Infinity;

function isTooSoon(): boolean {
  if (performance.now() - badDeviceAt < BETWEEN_BAD_DEVICES_MS) return true;
  badDeviceAt = performance.now();
  return false;
}

/** A gradient that is not finite. */
export async function sendNan(port: number, waits: Waits, draws: Draws): Promise<Deed> {
  if (isTooSoon()) return undefined;
  const slice = draws.pick(["dense", "conv"] as const);
  const value = draws.pick([Number.NaN, Number.POSITIVE_INFINITY]);
  const isDone = await visit(port, waits, (rogue, task) => rogue.answerSlice(task, slice, value));
  return deed(isDone, `${value} in its ${slice} slice`);
}

/** The same bad result many times: one device has computed it, not many. */
export async function sendDuplicates(port: number, waits: Waits): Promise<Deed> {
  if (isTooSoon()) return undefined;
  const isDone = await visit(port, waits, async (rogue, task) => {
    for (let i = 0; i < 10; i++) await rogue.answerSlice(task, "dense", Number.NaN);
  });
  return deed(isDone, "10 copies of a result that is not finite");
}

/** Results that are not what they say they are. */
export async function sendWrongShapes(port: number, waits: Waits, draws: Draws): Promise<Deed> {
  const which = draws.below(5);
  const isDone = await visit(port, waits, async (rogue, { session, step, shards }) => {
    const nodes = shards.map(({ index }) => ({ level: 0, index }));
    const sums = nodes.map(() => new Float32Array(SLICES.conv.contributionLength));
    const result = { type: "result", session, step, slice: "conv", spent: NO_TIME, nodes } as const;
    const whole = encode(result, ...sums);
    const header = pack(result);
    const sum = new Uint8Array(SLICES.conv.contributionLength * 4);
    const wrong = [
      [header],
      [header, sum.subarray(0, draws.below(sum.length))],
      [...whole, ...whole.slice(1)],
      encode({ ...result, slice: "dense" }, ...sums),
      encode({ ...result, nodes: nodes.map(() => ({ level: 11, index: 0 })) }, ...sums),
    ];
    await rogue.sendRaw(...withChecksums(wrong[which]!));
  });
  return deed(
    isDone,
    ["no frame", "half a frame", "twice the frames", "another slice's frame", "no such node"][which]!,
  );
}

/** A frame that no message can have. */
export async function sendOversize(port: number, waits: Waits): Promise<Deed> {
  const isDone = await visit(port, waits, (rogue) => rogue.sendRaw(...withChecksums([new Uint8Array(OVERSIZE_BYTES)])));
  return deed(isDone, `a frame of ${OVERSIZE_BYTES} bytes`);
}

/** Messages of ZeroMQ that are none of the protocol. */
export async function sendFrames(port: number, waits: Waits, draws: Draws): Promise<Deed> {
  const isDone = await visit(port, waits, async (rogue) => {
    for (let i = 0; i < 50; i++) {
      const frames = Array.from({ length: 1 + draws.below(5) }, () => draws.bytes(draws.below(2_000)));
      await rogue.sendRaw(...(i % 2 === 0 ? frames : withChecksums(frames)));
    }
  });
  return deed(isDone, "50 messages of noise");
}

/** Bytes that are not ZeroMQ at all. */
export async function sendNoise(port: number, draws: Draws): Promise<Deed> {
  const connections = 1 + draws.below(20);
  try {
    for (let i = 0; i < connections; i++) await pourBytes(port, draws.bytes(draws.below(20_000)));
  } catch {
    // The coordinator is down.
    return undefined;
  }
  return `${connections} connections full`;
}
