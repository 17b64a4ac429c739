import { decodeFromCoordinator, decodeFromWorker, encode } from "../../shared/protocol/codec.ts";
import { amountOf, type Bench, roundsOf } from "../bench.ts";
import { coordinatorMessages, workerMessages } from "../hot-messages.ts";
import { type Labels, measurementsOf, type SuiteReport } from "../report.ts";
import { type Candidate, takeTurns } from "../rounds.ts";
import { microsecondsOf } from "../stopwatch.ts";

const REPETITIONS = 5_000;
const QUICK_REPETITIONS = 200;
const SHARD_SIZE = 32;

/** Writing and reading the messages of a step. Payloads are passed on without a copy, so it is the headers that count. */
export async function codecSuite(bench: Bench): Promise<SuiteReport> {
  bench.say("encoding and decoding messages");
  const repetitions = amountOf(bench, REPETITIONS, QUICK_REPETITIONS);
  const labels: Labels[] = [];
  const candidates: Candidate[] = [];
  const add = (message: string, what: "encode" | "decode", action: () => void): void => {
    labels.push({ message, what });
    candidates.push({ measure: () => microsecondsOf(action, repetitions) });
  };
  for (const { name, header, payload } of coordinatorMessages(SHARD_SIZE)) {
    const frames = encode(header, ...payload);
    add(name, "encode", () => encode(header, ...payload));
    add(name, "decode", () => decodeFromCoordinator(frames));
  }
  for (const { name, header, payload } of workerMessages()) {
    const frames = encode(header, ...payload);
    add(name, "encode", () => encode(header, ...payload));
    add(name, "decode", () => decodeFromWorker(frames));
  }
  const measurements = measurementsOf(labels, await takeTurns(candidates, roundsOf(bench)));
  return { suite: "codec", title: "one message of a step", unit: "µs", notes: [], measurements };
}
