import { SLICE_NAMES, SLICES } from "../shared/model/contribution.ts";
import type { CoordinatorMessage, WorkerMessage } from "../shared/protocol/messages.ts";

/** The messages that every step consists of, for a worker with one shard of a step of many. */

export interface HotMessage<Message> {
  readonly name: string;
  readonly header: Message;
  readonly payload: readonly (Float32Array | Uint32Array)[];
}

const session = "0f6e1a52-7c39-4d5e-9b1d-2f4a6c8e0b13/1";
const step = 4_000;
const NODES = [{ level: 0, index: 0 }];
const SPENT = { wait: 100, gather: 100, compute: 1_000, held: 1_100 };

/** @param samples in the worker's shard */
export function coordinatorMessages(samples: number): HotMessage<CoordinatorMessage>[] {
  const assign: Extract<CoordinatorMessage, { type: "assign" }> = {
    type: "assign",
    session,
    step,
    slices: [],
    epoch: 4,
    shardCount: 2,
    globalCount: 2 * samples,
    shards: [{ index: 0, count: samples }],
  };
  const indices = Uint32Array.from({ length: samples }, (_, i) => i);
  const state = { dense: new Float32Array(SLICES.dense.stateLength), conv: new Float32Array(SLICES.conv.stateLength) };
  return [
    ...SLICE_NAMES.map((slice): HotMessage<CoordinatorMessage> => ({
      name: `parameters ${slice}`,
      header: { type: "parameters", session, version: step, slice, averaged: false },
      payload: [state[slice]],
    })),
    { name: "assign", header: assign, payload: [indices] },
    { name: "assign with conv", header: { ...assign, slices: ["conv"] }, payload: [indices, state.conv] },
  ];
}

export function workerMessages(): HotMessage<WorkerMessage>[] {
  return SLICE_NAMES.map((slice) => ({
    name: `result ${slice}`,
    header: { type: "result", session, step, slice, spent: SPENT, nodes: NODES },
    payload: [new Float32Array(SLICES[slice].contributionLength)],
  }));
}
