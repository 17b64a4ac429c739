import { randomUUID } from "node:crypto";
import { type Checkpoint, stateSha256 } from "../shared/checkpoint.ts";
import type { Clock } from "../shared/clock.ts";
import type { TrainingConfig } from "../shared/config.ts";
import { publicConfig } from "../shared/config.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import { LockstepError, messageOf } from "../shared/errors.ts";
import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import { type SliceName, SLICES } from "../shared/model/contribution.ts";
import { initialState as initialModelState } from "../shared/model/initialise.ts";
import { decodeFromWorker, encode, floatsInto, type Frames } from "../shared/protocol/codec.ts";
import type { CoordinatorMessage } from "../shared/protocol/messages.ts";
import { PartialSums } from "../shared/reduction/partial-sums.ts";
import type { CoordinatorTransport, PeerId } from "../shared/transport/transport.ts";
import { type Vector, VectorMemory } from "../shared/vector/vector-memory.ts";
import { initialState, transition } from "./machine/machine.ts";
import type { Effect, Event, Outcome, Signal, State } from "./machine/types.ts";
import { ModelState } from "./model-state.ts";
import { RunPlan } from "./plan.ts";
import { RunStatistics } from "./run-statistics.ts";
import { learningRate } from "./schedule.ts";

export interface CoordinatorOptions {
  readonly config: TrainingConfig;
  readonly dataset: DatasetSummary;
  readonly transport: CoordinatorTransport;
  readonly clock: Clock;
  /** For the result and for people. */
  readonly runDir: string;
  /** Writes a checkpoint and says where it is. */
  readonly saveCheckpoint: (checkpoint: Checkpoint) => Promise<string>;
  readonly onEvent: (event: TrainingEvent) => void;
}

type TimedEvent = Event extends infer Each ? (Each extends { at: number } ? Omit<Each, "at"> : never) : never;

const TICK_MS = 250;

/**
 * The shell around the coordinator's machine: it owns the weights, the optimizer and the sampler, and does what the
 * machine asks for. It never computes a gradient.
 */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #plan: RunPlan;
  readonly #model: ModelState;
  readonly #memory = new VectorMemory();
  readonly #sums: Record<SliceName, PartialSums>;
  readonly #statistics: RunStatistics;
  readonly #outcome: Promise<Outcome>;
  #settle: { resolve: (outcome: Outcome) => void; reject: (error: unknown) => void } = unset;
  #state: State;
  /** The payload of the result at hand, one vector a node, until the machine has judged it. */
  #staged: Vector[] = [];
  #stepBeganAt = 0;
  #epochMs = 0;

  constructor(options: CoordinatorOptions) {
    const { config, dataset, clock } = options;
    this.#options = options;
    this.#plan = new RunPlan(config, dataset);
    this.#model = new ModelState(this.#memory, initialModelState(config.seed), config.ema);
    this.#sums = {
      dense: new PartialSums(this.#memory, SLICES.dense.contributionLength),
      conv: new PartialSums(this.#memory, SLICES.conv.contributionLength),
    };
    this.#statistics = new RunStatistics(clock.now());
    this.#state = initialState(this.#plan.forMachine(config, dataset), randomUUID());
    this.#outcome = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  /**
   * Trains to the end, or until `interrupt`.
   * @throws LockstepError when there are not enough workers, or the training diverges
   */
  async run(): Promise<TrainingResult> {
    const { transport, clock } = this.#options;
    transport.start({
      onMessage: (peer, frames) => this.#receive(peer, frames),
      onUnreachable: (peer) => this.#handle({ type: "peer-lost", peer, reason: "its connection was lost" }),
    });
    this.#emit({ type: "listening", address: transport.address });
    const stopTicking = clock.every(TICK_MS, () => this.#handle({ type: "tick" }));
    try {
      this.#handle({ type: "start" });
      return await this.#conclude(await this.#outcome);
    } finally {
      stopTicking();
      await transport.close();
    }
  }

  /** Finishes the step under way, saves a checkpoint and ends the run. */
  interrupt(signal: Signal): void {
    this.#handle({ type: "interrupt", signal });
  }

  /** A worker process on this machine has ended: known sooner than by its silence. */
  workerExited(pid: number, reason: string): void {
    this.#handle({ type: "process-exited", pid, reason });
  }

  /** Ends the run with an error, after a checkpoint if any step was done. */
  giveUp(message: string): void {
    this.#settle.resolve({ type: "not-enough-workers", message });
  }

  /** What the run is doing now, for /status. */
  status(): Record<string, unknown> {
    const { phase, members } = this.#state;
    return {
      phase: this.#state.waiting === undefined ? phase.type : "waiting",
      step: this.#model.step,
      totalSteps: this.#plan.totalSteps,
      epochs: this.#plan.epochs,
      stepsPerEpoch: this.#plan.stepsPerEpoch,
      workers: [...members.values()].map(({ name, host, pid, engine, device, ready }) => {
        return { name, host, pid, engine, device, ready };
      }),
    };
  }

  #receive(peer: PeerId, frames: Frames): void {
    try {
      const { header, payload } = decodeFromWorker(frames);
      const finite = header.type === "result" ? this.#stage(header.slice, payload) : true;
      this.#handle({ type: "message", peer, message: header, finite });
      if (header.type === "result") for (const vector of this.#staged) this.#sums[header.slice].discard(vector);
      this.#staged = [];
    } catch (thrown) {
      if (!(thrown instanceof LockstepError && thrown.code === "protocol")) throw thrown;
      this.#handle({ type: "malformed", peer, problem: thrown.message });
    }
  }

  /** Copies a result's payload to where it can be added. Returns whether all of it is finite. */
  #stage(slice: SliceName, payload: Frames): boolean {
    this.#staged = payload.map((frame) => {
      const vector = this.#sums[slice].borrow();
      floatsInto(vector.values, frame);
      return vector;
    });
    return this.#staged.every((vector) => this.#memory.allFinite(vector));
  }

  #handle(event: TimedEvent): void {
    try {
      const [state, effects] = transition(this.#state, { ...event, at: this.#options.clock.now() } as Event);
      this.#state = state;
      for (const effect of effects) this.#carryOut(effect);
    } catch (thrown) {
      this.#settle.reject(thrown);
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "welcome":
        this.#welcome(effect);
        break;
      case "refuse":
        this.#send(effect.peer, { type: "rejected", code: effect.code, message: effect.message });
        break;
      case "ping":
        this.#send(effect.peer, { type: "ping", session: effect.session });
        break;
      case "stop":
        this.#send(effect.peer, { type: "stop", session: effect.session, reason: effect.reason });
        break;
      case "begin-step":
        this.#sums.dense.reset(effect.shardCount);
        this.#sums.conv.reset(effect.shardCount);
        this.#stepBeganAt = 0;
        break;
      case "send-parameters":
        this.#sendParameters(effect);
        break;
      case "assign":
        this.#assign(effect);
        break;
      case "evaluate":
        this.#evaluate(effect);
        break;
      case "accept":
        for (const [i, vector] of this.#staged.entries()) {
          const node = effect.nodes[i];
          if (node !== undefined) this.#sums[effect.slice].add(node, vector);
        }
        this.#staged = [];
        break;
      case "reject":
        this.#emit({ type: "rejected", reason: effect.reason });
        break;
      case "apply-slice":
        this.#model.applySlice(effect.slice, this.#sums[effect.slice].total(), this.#learningRate(effect.step));
        break;
      case "commit-step":
        this.#commitStep(effect.step);
        break;
      case "epoch-evaluated":
        this.#epochEvaluated(effect.epoch, effect.correct);
        break;
      case "report":
        this.#report(effect.event);
        break;
      case "finish":
        this.#settle.resolve(effect.outcome);
        break;
      default:
        effect satisfies never;
    }
  }

  #welcome({ peer, session, name }: Extract<Effect, { type: "welcome" }>): void {
    const { seed, augment, shardSize, batchSize } = this.#options.config;
    const runId = this.#options.runDir;
    const largestShard = Math.min(shardSize, batchSize, this.#plan.trainSamples);
    this.#send(peer, { type: "welcome", session, name, runId, seed, augment, shardSize: largestShard });
  }

  #sendParameters({ peer, session, version, slice, averaged }: Extract<Effect, { type: "send-parameters" }>): void {
    const values = averaged ? this.#model.averageSnapshot(slice) : this.#model.snapshot(version, slice);
    this.#send(peer, { type: "parameters", session, version, slice, averaged }, values);
  }

  #assign({ peer, session, step, shards }: Extract<Effect, { type: "assign" }>): void {
    if (this.#stepBeganAt === 0) this.#stepBeganAt = this.#options.clock.now();
    const parts = shards.map((index) => this.#plan.shard(step, index));
    const samples = new Uint32Array(parts.reduce((sum, part) => sum + part.samples.length, 0));
    let start = 0;
    for (const part of parts) {
      samples.set(part.samples, start);
      start += part.samples.length;
    }
    const header: CoordinatorMessage = {
      type: "assign",
      session,
      step,
      epoch: this.#plan.epochOf(step),
      shardCount: this.#plan.shardCountOf(step),
      globalCount: this.#plan.batchSizeOf(step),
      shards: parts.map((part) => ({ index: part.index, count: part.samples.length })),
    };
    this.#send(peer, header, samples);
  }

  #evaluate({ peer, session, version, chunks }: Extract<Effect, { type: "evaluate" }>): void {
    for (const chunk of chunks) {
      this.#send(peer, { type: "evaluate", session, version, chunk, ...this.#plan.chunk(chunk) });
    }
  }

  #commitStep(step: number): void {
    const { lossSum } = this.#model.commit();
    const samples = this.#plan.batchSizeOf(step);
    const stepMs = this.#options.clock.now() - this.#stepBeganAt;
    this.#epochMs += stepMs;
    this.#emit({
      type: "step",
      epoch: this.#plan.epochOf(step) + 1,
      stepInEpoch: (step % this.#plan.stepsPerEpoch) + 1,
      step: step + 1,
      loss: lossSum / samples,
      learningRate: this.#learningRate(step),
      samples,
      stepMs,
      workers: this.#readyWorkers(),
    });
  }

  #epochEvaluated(epoch: number, correct: number): void {
    const { testSamples } = this.#plan;
    const samplesPerSecond = this.#statistics.epochSamples / (this.#epochMs / 1000);
    this.#epochMs = 0;
    this.#emit({
      type: "epoch",
      epoch: epoch + 1,
      trainLoss: this.#statistics.trainLoss ?? 0,
      testAccuracy: correct / testSamples,
      testErrors: testSamples - correct,
      testSamples,
      samplesPerSecond,
    });
  }

  #report(event: TrainingEvent): void {
    this.#emit(event);
    if (event.type === "worker-joined" && event.workers === 1 && this.#model.step === 0) this.#emitStarted();
  }

  #emitStarted(): void {
    const { epochs, stepsPerEpoch, totalSteps, trainSamples, testSamples } = this.#plan;
    const workers = this.#readyWorkers();
    this.#emit({ type: "started", epochs, stepsPerEpoch, totalSteps, trainSamples, testSamples, workers });
  }

  async #conclude(outcome: Outcome): Promise<TrainingResult> {
    const path = this.#model.step > 0 && outcome.type !== "diverged" ? await this.#saveCheckpoint() : "";
    switch (outcome.type) {
      case "not-enough-workers": {
        const saved = path === "" ? "" : `; the weights so far are in ${path}`;
        throw new LockstepError("not-enough-workers", outcome.message + saved);
      }
      case "diverged":
        throw new LockstepError("diverged", outcome.message);
      default: {
        const result = this.#statistics.result(this.#options.clock.now(), {
          weightsSha256: stateSha256(this.#model.average),
          runDir: this.#options.runDir,
          checkpoint: path,
          ...(outcome.type === "interrupted" ? { interruptedBy: outcome.signal } : {}),
        });
        this.#emit({ type: "finished", result });
        return result;
      }
    }
  }

  async #saveCheckpoint(): Promise<string> {
    const { config, dataset } = this.#options;
    const { step } = this.#model;
    const path = await this.#options.saveCheckpoint({
      formatVersion: 1,
      step,
      epoch: this.#plan.epochOf(step),
      seed: config.seed,
      adamStep: step,
      config: publicConfig(config),
      dataDigest: dataset.digest,
      engine: this.#statistics.engine,
      state: this.#model.average.slice(),
      latest: this.#model.state.slice(),
      adamM: this.#model.adamM.slice(),
      adamV: this.#model.adamV.slice(),
    });
    this.#emit({ type: "checkpoint", path, step });
    return path;
  }

  #learningRate(step: number): number {
    return learningRate(this.#options.config, step, this.#plan.totalSteps);
  }

  #readyWorkers(): number {
    let ready = 0;
    for (const member of this.#state.members.values()) if (member.ready) ready += 1;
    return ready;
  }

  #emit(event: TrainingEvent): void {
    this.#statistics.record(event, this.#options.clock.now());
    this.#options.onEvent(event);
  }

  #send(peer: PeerId, message: CoordinatorMessage, ...payload: readonly (Float32Array | Uint32Array)[]): void {
    this.#options.transport.send(peer, encode(message, ...payload));
  }
}

const unset = {
  resolve: () => {},
  reject: (error: unknown) => {
    throw new Error(`the coordinator failed before it began: ${messageOf(error)}`);
  },
};
