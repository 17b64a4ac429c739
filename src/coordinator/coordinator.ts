import { randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import { type Checkpoint, stateSha256 } from "../shared/checkpoint.ts";
import type { Clock } from "../shared/clock.ts";
import type { TrainingConfig } from "../shared/config.ts";
import { publicConfig } from "../shared/config.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import { LockstepError, type Signal } from "../shared/errors.ts";
import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import { initialState as initialModelState } from "../shared/model/initialise.ts";
import { decodeFromWorker, type Frames } from "../shared/protocol/codec.ts";
import type { CoordinatorTransport, PeerId } from "../shared/transport/transport.ts";
import { VectorMemory } from "../shared/vector/vector-memory.ts";
import { settingOf } from "./advice.ts";
import { initialState, transition } from "./machine/machine.ts";
import type { Effect, Event, Outcome, State } from "./machine/types.ts";
import { ModelState } from "./model-state.ts";
import { Outbox } from "./outbox.ts";
import { RunPlan } from "./plan.ts";
import { StepClock, type StepTrace } from "./step-clock.ts";
import { StepReduction } from "./step-reduction.ts";
import { RunStatistics } from "./run-statistics.ts";
import { learningRate } from "./schedule.ts";
import type { TriedCount } from "./worker-count.ts";

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
  /** Is told what was when, in the clock's time. */
  readonly trace?: StepTrace | undefined;
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
  readonly #outbox: Outbox;
  readonly #reduction: StepReduction;
  readonly #stepClock: StepClock;
  readonly #statistics: RunStatistics;
  readonly #outcome: Promise<Outcome>;
  #settle!: { resolve: (outcome: Outcome) => void; reject: (error: unknown) => void };
  #state: State;
  readonly #untold: TrainingEvent[] = [];
  #isHandling = false;
  #hasStarted = false;
  #stepBeganAt = 0;
  #assignedStep = -1;
  #epochMs = 0;

  constructor(options: CoordinatorOptions) {
    const { config, dataset, clock, transport } = options;
    this.#options = options;
    this.#plan = new RunPlan(config, dataset);
    const memory = transport.memory.vectors ?? new VectorMemory();
    this.#reduction = new StepReduction(memory, transport.memory);
    this.#model = new ModelState(memory, initialModelState(config.seed), config.ema, transport.memory);
    this.#outbox = new Outbox(options, this.#plan, this.#model);
    this.#stepClock = new StepClock(options.trace);
    const setting = settingOf(config, this.#plan.trainSamples, availableParallelism());
    this.#statistics = new RunStatistics(clock.now(), setting);
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
    } catch (thrown) {
      for (const { peer, session } of this.#state.members.values()) {
        this.#outbox.send(peer, { type: "stop", session, reason: "the coordinator has failed" });
      }
      throw thrown;
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
  processExited(pid: number, reason: string): void {
    this.#handle({ type: "process-exited", pid, reason });
  }

  /** The same of a thread. */
  threadExited(peer: PeerId, reason: string): void {
    this.#handle({ type: "peer-lost", peer, reason });
  }

  /**
   * Gives steps to so many of the workers only, from the next one or the one after on.
   * @param tried how fast each count was that was tried, when this is the choice
   */
  useWorkers(count: number, tried?: readonly TriedCount[]): void {
    this.#handle({ type: "use-workers", count });
    if (tried !== undefined) this.#emit({ type: "workers-chosen", workers: count, tried });
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
    const { clock } = this.#options;
    const receivedAt = clock.now();
    this.#stepClock.begin(receivedAt);
    try {
      const { header, payload } = decodeFromWorker(frames);
      if (header.type === "evaluated" && header.correct > this.#plan.chunk(header.chunk).count) {
        throw new LockstepError("protocol", `malformed message: ${header.correct} correct answers in a smaller chunk`);
      }
      let finite = true;
      if (header.type === "result") {
        this.#stepClock.received(peer, header, receivedAt);
        this.#stepClock.did("decide", clock.now());
        finite = this.#reduction.stage(header.slice, payload);
        this.#stepClock.did("reduce", clock.now());
      }
      this.#handle({ type: "message", peer, message: header, finite });
      this.#reduction.discard();
    } catch (thrown) {
      if (thrown instanceof LockstepError && thrown.code === "protocol") {
        this.#handle({ type: "malformed", peer, problem: thrown.message });
      } else {
        this.#settle.reject(thrown);
      }
    }
  }

  #handle(event: TimedEvent): void {
    const { clock } = this.#options;
    this.#isHandling = true;
    try {
      const at = clock.now();
      this.#stepClock.begin(at);
      const [state, effects] = transition(this.#state, { ...event, at } as Event);
      this.#state = state;
      this.#stepClock.did("decide", clock.now());
      for (const effect of effects) {
        this.#carryOut(effect);
        this.#stepClock.carriedOut(effect, state.members, clock.now());
      }
    } catch (thrown) {
      this.#settle.reject(thrown);
    }
    this.#isHandling = false;
    this.#tell();
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "welcome":
        this.#outbox.welcome(effect);
        break;
      case "refuse":
        this.#outbox.send(effect.peer, { type: "rejected", code: effect.code, message: effect.message });
        break;
      case "ping":
        this.#outbox.send(effect.peer, { type: "ping", session: effect.session, step: effect.step });
        break;
      case "stop":
        this.#outbox.send(effect.peer, { type: "stop", session: effect.session, reason: effect.reason });
        break;
      case "begin-step":
        this.#reduction.begin(effect.shardCount);
        // Work that was given out ahead begins now.
        this.#stepBeganAt = effect.step <= this.#assignedStep ? this.#options.clock.now() : 0;
        break;
      case "send-parameters":
        this.#outbox.parameters(effect);
        break;
      case "assign":
        this.#beginWork(effect.step);
        this.#outbox.assign(effect);
        break;
      case "evaluate":
        this.#outbox.evaluate(effect);
        break;
      case "accept":
        this.#reduction.accept(effect.nodes);
        break;
      case "reject":
        this.#emit({ type: "rejected", reason: effect.reason });
        break;
      case "apply-slice":
        this.#model.applySlice(effect.slice, this.#reduction.total(effect.slice), this.#learningRate(effect.step));
        break;
      case "commit-step":
        this.#commitStep(effect.step);
        break;
      case "epoch-evaluated":
        this.#epochEvaluated(effect.epoch, effect.correct);
        break;
      case "report":
        this.#emit(effect.event);
        break;
      case "finish":
        this.#settle.resolve(effect.outcome);
        break;
      default:
        effect satisfies never;
    }
  }

  #commitStep(step: number): void {
    const { lossSum, correct } = this.#model.commit();
    const samples = this.#plan.batchSizeOf(step);
    const at = this.#options.clock.now();
    const stepMs = at - this.#stepBeganAt;
    this.#epochMs += stepMs;
    this.#emit({
      type: "step",
      epoch: this.#plan.epochOf(step) + 1,
      stepInEpoch: (step % this.#plan.stepsPerEpoch) + 1,
      step: step + 1,
      loss: lossSum / samples,
      learningRate: this.#learningRate(step),
      samples,
      correct,
      stepMs,
      workers: this.#readyWorkers(),
      phases: this.#stepClock.commit(at),
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
      trainAccuracy: this.#statistics.trainAccuracy ?? 0,
      testAccuracy: correct / testSamples,
      testErrors: testSamples - correct,
      testSamples,
      samplesPerSecond,
    });
  }

  /** Called before each assignment of a step. */
  #beginWork(step: number): void {
    this.#assignedStep = step;
    if (this.#stepBeganAt === 0) this.#stepBeganAt = this.#options.clock.now();
    if (this.#hasStarted) return;
    this.#hasStarted = true;
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
      latest: this.#model.state,
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
    this.#untold.push(event);
    if (!this.#isHandling) this.#tell();
  }

  /** Workers are told first; whoever watches can wait until all effects are carried out. */
  #tell(): void {
    for (const event of this.#untold.splice(0)) this.#options.onEvent(event);
  }
}
