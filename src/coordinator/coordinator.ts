import { randomUUID } from "node:crypto";
import { availableParallelism } from "node:os";
import { stateSha256 } from "../shared/checkpoint.ts";
import { type Clock, tickEvery } from "../shared/clock.ts";
import type { TrainingConfig } from "../shared/config.ts";
import type { DatasetSummary } from "../shared/data/dataset.ts";
import { LockstepError, type Signal } from "../shared/errors.ts";
import type { TrainingEvent, TrainingResult } from "../shared/events.ts";
import type { Traffic } from "../shared/metrics/message-counts.ts";
import type { SliceName } from "../shared/model/contribution.ts";
import { initialState as initialModelState } from "../shared/model/initialise.ts";
import type { Frames } from "../shared/protocol/codec.ts";
import type { CoordinatorTransport, PeerId } from "../shared/transport/transport.ts";
import { VectorMemory } from "../shared/vector/vector-memory.ts";
import { settingOf } from "./advice.ts";
import { conclude } from "./conclusion.ts";
import { Coverage } from "./coverage.ts";
import type { EventLog } from "./event-recording.ts";
import { GradientNorm } from "./gradient-norm.ts";
import { Inbox } from "./inbox.ts";
import { initialState, transition } from "./machine/machine.ts";
import type { Effect, Event, Outcome, State } from "./machine/types.ts";
import { ModelState } from "./model-state.ts";
import { Outbox } from "./outbox.ts";
import { RunPlan } from "./plan.ts";
import { RefusedConnections } from "../shared/fleet/refused-connections.ts";
import { type Resumption, startOf } from "./resumption.ts";
import { type RosterEntry, rosterOf } from "./roster.ts";
import { type CheckpointSink, RunCheckpoints } from "./run-checkpoints.ts";
import { RunEvents } from "./run-events.ts";
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
  /** Where checkpoints go; without it the run leaves none. */
  readonly checkpoints?: CheckpointSink | undefined;
  /** Where to go on from, if not from the beginning; it fits the options and the data. */
  readonly resumption?: Resumption | undefined;
  readonly onEvent: (event: TrainingEvent) => void;
  /** Is told what was when, in the clock's time. */
  readonly trace?: StepTrace | undefined;
  /** Is told all that the machine is told, and what it asks for. */
  readonly recording?: EventLog | undefined;
}

type TimedEvent = Event extends infer Each ? (Each extends { at: number } ? Omit<Each, "at"> : never) : never;

const TICK_MS = 100;
const TOO_MANY = "it sends far more messages than it was asked for";

/**
 * The shell around the coordinator's machine: it owns the weights, the optimizer and the sampler, and does what the
 * machine asks for. It never computes a gradient.
 */
export class Coordinator {
  readonly #options: CoordinatorOptions;
  readonly #plan: RunPlan;
  readonly #model: ModelState;
  readonly #outbox: Outbox;
  readonly #inbox: Inbox;
  readonly #reduction: StepReduction;
  readonly #gradientNorm: GradientNorm;
  readonly #stepClock: StepClock;
  readonly #statistics: RunStatistics;
  readonly #events: RunEvents;
  readonly #coverage: Coverage;
  readonly #checkpoints: RunCheckpoints;
  readonly #refused = new RefusedConnections();
  readonly #outcome: Promise<Outcome>;
  #settle!: { resolve: (outcome: Outcome) => void; reject: (error: unknown) => void };
  #state: State;
  readonly #untold: TrainingEvent[] = [];
  #isHandling = false;
  /** Whether the message at hand was. */
  #isRejected = false;
  #isRunning = false;
  #stepBeganAt = 0;
  #assignedStep = -1;

  constructor(options: CoordinatorOptions) {
    const { config, dataset, clock, transport, resumption } = options;
    const start = startOf(resumption);
    this.#options = options;
    this.#plan = new RunPlan(config, dataset);
    const memory = transport.memory.vectors ?? new VectorMemory();
    this.#reduction = new StepReduction(memory, transport.memory);
    this.#gradientNorm = new GradientNorm(memory);
    this.#model = new ModelState(memory, initialModelState(config.seed), config.ema, transport.memory);
    if (resumption !== undefined) this.#model.restore(resumption.checkpoint);
    this.#outbox = new Outbox(options, this.#plan, this.#model);
    this.#inbox = new Inbox(this.#plan, (peer) => this.#state.members.has(peer));
    this.#stepClock = new StepClock(options.trace);
    const setting = settingOf(config, this.#plan.trainSamples, availableParallelism());
    const before = resumption && { ...resumption, samples: this.#plan.samplesBefore(start.step) };
    this.#statistics = new RunStatistics(clock.now(), setting, before);
    this.#events = new RunEvents(config, this.#plan, this.#statistics);
    this.#coverage = new Coverage(this.#plan, start.step);
    const saved = { plan: this.#plan, model: this.#model, statistics: this.#statistics };
    this.#checkpoints = new RunCheckpoints({ ...saved, config, dataset, resumption, sink: options.checkpoints });
    this.#state = initialState(this.#plan.forMachine(config, dataset, start), randomUUID());
    options.recording?.begin(this.#state);
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
      onDamaged: (peer, problem) => {
        if (this.#admit(peer, clock.now())) this.#handle({ type: "malformed", peer, problem });
      },
      onRefused: (reason) => this.#refused.add(reason),
    });
    this.#emit({ type: "listening", address: transport.address });
    const stopTicking = tickEvery(clock, TICK_MS, (stoppedMs) => this.#tick(stoppedMs));
    try {
      this.#isRunning = true;
      this.#handle({ type: "start" });
      return await this.#conclude(await this.#outcome);
    } catch (thrown) {
      for (const { peer, session } of this.#state.members.values()) {
        this.#outbox.send(peer, { type: "stop", session, reason: "the coordinator has failed" });
      }
      throw thrown;
    } finally {
      stopTicking();
      await this.#checkpoints.settled();
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
    // Before the start the machine has nothing to end.
    if (this.#isRunning) this.#handle({ type: "give-up", message });
    else this.#settle.resolve({ type: "not-enough-workers", message });
  }

  /** What the run is doing now, for /status. */
  status(): Record<string, unknown> {
    const { phase, waiting } = this.#state;
    return {
      phase: waiting === undefined ? phase.type : "waiting",
      step: this.#model.step,
      totalSteps: this.#plan.totalSteps,
      epochs: this.#plan.epochs,
      stepsPerEpoch: this.#plan.stepsPerEpoch,
      workers: this.roster(),
    };
  }

  /** Whether all work is done, or given up: what is left is to save the weights and to tell the result. */
  get isOver(): boolean {
    return this.#isRunning && this.#state.phase.type === "finished";
  }

  /** A sentence: why workers cannot join now and be given work; undefined when they can. */
  unready(): string | undefined {
    if (!this.#isRunning) return "the run has not begun: workers cannot join yet";
    return this.isOver ? "the run is over: no worker is needed any more" : undefined;
  }

  /** The workers that are welcome now. */
  roster(): RosterEntry[] {
    const now = this.#options.clock.now();
    return rosterOf(this.#state, ({ peer, joinedAt }) => now - (this.#inbox.heardAt(peer) ?? joinedAt));
  }

  /** Messages so far. */
  get traffic(): Traffic {
    return { sent: this.#outbox.sent, received: this.#inbox.received };
  }

  /** How the samples have counted so far. */
  get coverage(): Pick<Coverage, "lost" | "repeated"> {
    return this.#coverage;
  }

  #tick(stoppedMs: number): void {
    this.#handle({ type: "tick", stoppedMs });
    for (const refused of this.#refused.due(this.#options.clock.now())) this.#emit(refused);
  }

  #receive(peer: PeerId, frames: Frames): void {
    const { clock } = this.#options;
    const receivedAt = clock.now();
    this.#stepClock.begin(receivedAt);
    if (!this.#admit(peer, receivedAt)) return;
    try {
      const { header, payload } = this.#inbox.read(peer, frames, receivedAt);
      let finite = true;
      if (header.type === "result") {
        this.#stepClock.received(peer, header, receivedAt);
        this.#stepClock.did("decide", clock.now());
        finite = this.#reduction.stage(header.slice, payload);
        this.#stepClock.did("reduce", clock.now());
      }
      this.#isRejected = false;
      this.#handle({ type: "message", peer, message: header, finite });
      if (!this.#isRejected) this.#inbox.taken(peer, header);
      this.#reduction.discard();
    } catch (thrown) {
      if (thrown instanceof LockstepError && thrown.code === "protocol") {
        this.#handle({ type: "malformed", peer, problem: thrown.message });
      } else {
        this.#settle.reject(thrown);
      }
    }
  }

  /**
   * Whether a message is to be looked at. A member that sends too many is given up; what strangers send is dropped, and
   * neither the machine nor its recording hears of it.
   */
  #admit(peer: PeerId, at: number): boolean {
    if (this.#inbox.admits(peer, at)) return true;
    if (this.#state.members.has(peer)) this.#handle({ type: "malformed", peer, problem: TOO_MANY });
    else this.#emit({ type: "rejected", reason: "too-many" });
    return false;
  }

  #handle(event: TimedEvent): void {
    const { clock } = this.#options;
    this.#isHandling = true;
    try {
      const at = clock.now();
      this.#stepClock.begin(at);
      const [state, effects] = this.#decide({ ...event, at } as Event);
      this.#state = state;
      this.#stepClock.did("decide", clock.now());
      for (const effect of effects) {
        this.#carryOut(effect);
        this.#stepClock.carriedOut(effect, state.members, clock.now());
      }
      if (this.#gradientNorm.measure()) this.#stepClock.did("reduce", clock.now());
      this.#checkpoints.saveIfDue();
    } catch (thrown) {
      this.#settle.reject(thrown);
    }
    this.#isHandling = false;
    this.#tell();
  }

  #decide(event: Event): ReturnType<typeof transition> {
    let decided: ReturnType<typeof transition> | undefined;
    try {
      return (decided = transition(this.#state, event));
    } finally {
      this.#options.recording?.record(event, decided?.[1]);
    }
  }

  #carryOut(effect: Effect): void {
    switch (effect.type) {
      case "welcome":
        this.#inbox.welcome(effect.peer, this.#options.clock.now());
        this.#outbox.welcome(effect);
        break;
      case "refuse":
        this.#outbox.send(effect.peer, { type: "rejected", code: effect.code, message: effect.message });
        break;
      case "ping":
        this.#outbox.send(effect.peer, { type: "ping", session: effect.session, step: effect.step, id: effect.id });
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
        this.#noteStart();
        this.#outbox.evaluate(effect);
        break;
      case "accept":
        this.#coverage.accept(this.#model.step, effect.slice, effect.nodes);
        this.#reduction.accept(effect.nodes);
        break;
      case "reject":
        this.#isRejected = true;
        this.#emit({ type: "rejected", reason: effect.reason });
        break;
      case "apply-slice":
        this.#applySlice(effect.step, effect.slice);
        break;
      case "commit-step":
        this.#commitStep(effect.step);
        break;
      case "epoch-evaluated":
        this.#emit(this.#events.epoch(effect));
        this.#checkpoints.epochEvaluated();
        break;
      case "end-evaluated":
        this.#emit(this.#events.end(this.#model.step, effect.correct));
        break;
      case "report":
        this.#emit(effect.event);
        break;
      case "finish":
        this.#checkpoints.ending();
        this.#settle.resolve(effect.outcome);
        break;
      default:
        effect satisfies never;
    }
  }

  #applySlice(step: number, slice: SliceName): void {
    const { config } = this.#options;
    this.#reduction.clip(config.clipNorm);
    const rate = learningRate(config, step, this.#plan);
    const sum = this.#reduction.total(slice);
    this.#model.applySlice(slice, sum, rate, config.weightDecay);
    if (config.clipNorm === undefined && this.#events.measuresNorm(step)) this.#gradientNorm.add(slice, sum);
  }

  #commitStep(step: number): void {
    this.#coverage.stepDone(step);
    const sums = this.#model.commit();
    const at = this.#options.clock.now();
    const { counted: samplesCounted } = this.#coverage;
    const gradientNorm = this.#reduction.gradientNorm ?? this.#gradientNorm.take();
    const [stepMs, workers, phases] = [at - this.#stepBeganAt, this.#readyWorkers(), this.#stepClock.commit(at)];
    this.#emit(this.#events.step(step, sums, { samplesCounted, gradientNorm, stepMs, workers, phases }));
    this.#checkpoints.stepDone(step + 1);
  }

  /** Called before each assignment of a step. */
  #beginWork(step: number): void {
    this.#assignedStep = step;
    if (this.#stepBeganAt === 0) this.#stepBeganAt = this.#options.clock.now();
    this.#noteStart();
  }

  /** Called before any work is given out. */
  #noteStart(): void {
    for (const event of this.#events.start(this.#model.step, this.#readyWorkers())) this.#emit(event);
  }

  #conclude(outcome: Outcome): Promise<TrainingResult> {
    const { clock, runDir } = this.#options;
    return conclude(outcome, {
      checkpoints: this.#checkpoints,
      result: (checkpoint, ending) =>
        this.#statistics.result(clock.now(), {
          weightsSha256: stateSha256(this.#model.average),
          ...{ runDir, checkpoint, samplesLost: this.#coverage.lost, samplesRepeated: this.#coverage.repeated },
          ...ending,
        }),
      tell: (result) => this.#emit({ type: "finished", result }),
    });
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
