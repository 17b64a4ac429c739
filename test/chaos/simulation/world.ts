import { MemoryNetwork, type Passage } from "../../../src/shared/transport/memory.ts";
import type { TrainingResult } from "../../../src/shared/events.ts";
import type { PeerId } from "../../../src/shared/transport/transport.ts";
import { FakeTime } from "../../support/fake-clock.ts";
import type { Draws } from "../draws.ts";
import { CoordinatorProcess } from "./coordinator-process.ts";
import type { Course } from "./course.ts";
import { MemoryCheckpoints } from "./memory-checkpoints.ts";
import type { Scenario } from "./scenario.ts";
import { PERFECT, Wire } from "./wire.ts";
import { FAILURE, WorkerProcess } from "./worker-process.ts";

const TRACE_LINES = 2_000;

/** Somewhere in the uptime of a machine. */
const LONGEST_UPTIME_MS = 1e9;

/** A coordinator, workers, a network between them and a disk, in a time of their own. */
export class World {
  readonly time = new FakeTime();
  /** For what is to happen later to the others. */
  readonly clock = this.time.clock();
  readonly draws: Draws;
  readonly scenario: Scenario;
  readonly wire: Wire;
  readonly network: MemoryNetwork;
  /** So many workers live at one time, if not fewer. */
  readonly mostWorkers: number;
  /** Those that live. */
  workers: readonly WorkerProcess[] = [];
  /** Undefined between two lives. */
  coordinator: CoordinatorProcess | undefined;
  /** Lives of the coordinator so far. */
  lives = 0;
  /** Messages that the coordinator could not read. */
  malformed = 0;
  readonly #course: Course;
  readonly #checkpoints: MemoryCheckpoints;
  #trace: (() => string)[] = [];
  #workersStarted = 0;
  /** Steps done, those done again in another life of the coordinator included. */
  #steps = 0;
  #spoiltAtStep = -Infinity;
  #trouble: { readonly thrown: unknown } | undefined;

  constructor(scenario: Scenario, course: Course, draws: Draws) {
    [this.scenario, this.draws, this.#course] = [scenario, draws, course];
    this.mostWorkers = Math.max(scenario.config.minWorkers, 1 + draws.below(6));
    this.wire = new Wire({
      ...{ time: this.time, draws, workers: () => this.workers },
      isCoordinatorFrozen: () => this.coordinator?.clock.frozen === true,
    });
    // Nothing is delivered but by `turn`.
    const never = (): void => {};
    this.network = new MemoryNetwork((passage) => this.wire.fate(passage), never);
    this.#checkpoints = new MemoryCheckpoints((checkpoint) => course.checkpoint(checkpoint));
    this.startCoordinator();
  }

  /** What the run has come to, once it has. */
  get result(): TrainingResult | undefined {
    return this.coordinator?.result;
  }

  /** Workers that are not about to go. */
  get staying(): readonly WorkerProcess[] {
    return this.workers.filter(({ leaving, fails }) => !leaving && !fails);
  }

  /**
   * Whether a number may be NaN without being the second one of its step: two for one shard are what a run looks like that
   * diverges. A worker may be a step ahead of the coordinator.
   */
  get maySpoil(): boolean {
    return this.#steps > this.#spoiltAtStep + 1 && this.workers.every(({ spoils }) => spoils.length === 0);
  }

  /** Where none lives. */
  startCoordinator(): void {
    if (this.coordinator !== undefined) return;
    this.lives += 1;
    const coordinator = new CoordinatorProcess({
      ...{ scenario: this.scenario, checkpoints: this.#checkpoints, course: this.#course },
      ...{ clock: this.#newClock(), transport: this.network.listen() },
      damagedCheckpoints: this.draws.pick([0, 0, 0, 1, 2]),
      writingMs: () => this.draws.between(0, 300),
      trace: (line) => this.note(line),
      onStep: () => (this.#steps += 1),
      onMalformed: () => (this.malformed += 1),
      onTrouble: (thrown) => this.#fail(thrown),
    });
    this.coordinator = coordinator;
    void coordinator.run();
  }

  killCoordinator(): void {
    for (const { end } of this.workers) {
      // What has reached its machine is lost; what workers still have goes to the next one.
      this.loseFirst("to-coordinator", end.peer);
      this.loseLast("to-worker", end.peer);
    }
    this.coordinator?.kill();
    this.coordinator = undefined;
  }

  join(): void {
    this.#workersStarted += 1;
    const name = `process ${this.#workersStarted}`;
    const [end, clock] = [this.network.connect(), this.#newClock()];
    const worker = new WorkerProcess({
      ...{ name, scenario: this.scenario, clock, end, draws: this.draws },
      trace: (line) => this.note(line),
      onSpoilt: () => (this.#spoiltAtStep = this.#steps),
    });
    this.workers = [...this.workers, worker];
    this.note(() => `${name} starts as ${end.peer}`);
    void this.#untilEnded(worker);
  }

  killWorker(worker: WorkerProcess): void {
    this.loseLast("to-coordinator", worker.end.peer);
    worker.kill();
    this.workers = this.workers.filter((other) => other !== worker);
  }

  /** Loses the first of the messages that are under way on a connection, or none, or all. */
  loseFirst(direction: Passage["direction"], peer: PeerId): void {
    let rest = this.#upToAll();
    this.network.lose((passage) => passage.peer === peer && passage.direction === direction && rest-- > 0);
  }

  /** The same of the last ones. */
  loseLast(direction: Passage["direction"], peer: PeerId): void {
    let kept = this.#upToAll();
    this.network.lose((passage) => passage.peer === peer && passage.direction === direction && kept-- <= 0);
  }

  #upToAll(): number {
    return this.draws.pick([0, 1, 2, 3, Infinity]);
  }

  /**
   * Delivers a message, or lets time pass until the next timer, and waits for all that follows from that at once.
   * @param deliveries share of the turns in which a message is delivered if there is one
   * @throws whatever must not have happened
   */
  async turn(deliveries: number): Promise<void> {
    const choose = (count: number): number => this.draws.below(count);
    const delivered = this.draws.uniform() < deliveries && this.network.deliver(choose);
    if (!delivered && !this.time.advance() && !this.network.deliver(choose)) throw new Error("nothing can happen");
    await settled();
    if (this.#trouble !== undefined) throw this.#trouble.thrown;
    if (this.result?.interruptedBy === undefined) return;
    this.coordinator = undefined;
    this.clock.after(this.draws.between(0, 3_000), () => this.startCoordinator());
  }

  /** From now on nothing goes wrong any more, and what was disturbed is mended. */
  calm(): void {
    this.wire.quality = PERFECT;
    for (const worker of this.workers) {
      worker.clock.frozen = false;
      [worker.link["to-coordinator"], worker.link["to-worker"]] = ["open", "open"];
      [worker.slowness, worker.spoils] = [1, []];
    }
    if (this.coordinator !== undefined) this.coordinator.clock.frozen = false;
    this.startCoordinator();
  }

  /**
   * All is over.
   * @throws Error when something still waits for its time, or for a message
   */
  async end(): Promise<void> {
    this.clock.stop();
    while (this.network.deliver()) await settled();
    if (this.time.timers > 0) throw new Error(`${this.time.timers} timers are still set`);
  }

  note(line: () => string): void {
    const at = this.time.now;
    this.#trace.push(() => `${(at / 1000).toFixed(3)} ${line()}`);
    if (this.#trace.length > 2 * TRACE_LINES) this.#trace = this.#trace.slice(-TRACE_LINES);
  }

  /** The last things that happened, a line each. */
  trace(lines: number): string {
    return this.#trace
      .slice(-lines)
      .map((line) => line())
      .join("\n");
  }

  async #untilEnded(worker: WorkerProcess): Promise<void> {
    const { code, text } = await worker.run();
    this.workers = this.workers.filter((other) => other !== worker);
    worker.clock.stop();
    this.note(() => `${worker.name} ends: ${code} ${text}`);
    const mayFail = text.startsWith("no coordinator at ") || text === FAILURE;
    if (code !== 0 && code !== 143 && !mayFail) this.#fail(new Error(`${worker.name} has failed: ${text}`));
  }

  #fail(thrown: unknown): void {
    this.#trouble ??= { thrown };
  }

  #newClock() {
    return this.time.clock(this.draws.between(0, LONGEST_UPTIME_MS));
  }
}

/** Once all promises that can settle without time or messages have. Engines look up at most once before time must pass. */
async function settled(): Promise<void> {
  for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve));
}
