import { MemoryNetwork, type Fate, type Passage } from "../../../src/shared/transport/memory.ts";
import type { TrainingResult } from "../../../src/shared/events.ts";
import type { PeerId } from "../../../src/shared/transport/transport.ts";
import type { Draws } from "../../chaos/draws.ts";
import { CoordinatorProcess } from "../../chaos/simulation/coordinator-process.ts";
import type { Course } from "../../chaos/simulation/course.ts";
import { MemoryCheckpoints } from "../../chaos/simulation/memory-checkpoints.ts";
import type { Scenario } from "../../chaos/simulation/scenario.ts";
import { PERFECT } from "../../chaos/simulation/wire.ts";
import { FAILURE, WorkerProcess } from "../../chaos/simulation/worker-process.ts";
import { type FakeClock, FakeTime } from "../../support/fake-clock.ts";
import { type RelayPlace, RelayProcess } from "./relay-place.ts";

const TRACE_LINES = 4_000;
/** So many deliveries of others may come between where a message belongs and where it comes. */
const FARTHEST = 30;

/** Whoever connects to a network. */
export type Connected = WorkerProcess | RelayProcess;

/** A coordinator, relays in a tree, workers anywhere below, networks between them, in a time of their own. */
export class TreeWorld {
  readonly time = new FakeTime();
  /** For what is to happen later to the others. */
  readonly clock = this.time.clock();
  readonly draws: Draws;
  readonly scenario: Scenario;
  quality = PERFECT;
  readonly root: MemoryNetwork;
  readonly places: readonly RelayPlace[];
  workers: readonly WorkerProcess[] = [];
  coordinator: CoordinatorProcess | undefined;
  lives = 0;
  /** Lines that tell of a loss, or that something is joined anew, as long as it is told to watch. */
  readonly losses: string[] = [];
  watchesLosses = false;
  readonly #course: Course;
  readonly #checkpoints: MemoryCheckpoints;
  readonly #ownersOf = new Map<MemoryNetwork, Map<PeerId, Connected>>();
  readonly #networkOf = new Map<Connected, MemoryNetwork>();
  #trace: (() => string)[] = [];
  #started = 0;
  #steps = 0;
  #spoiltAtStep = -Infinity;
  #trouble: { readonly thrown: unknown } | undefined;

  /** @param parents of each relay: the index of another one that comes before it, or -1 for the coordinator */
  constructor(scenario: Scenario, course: Course, draws: Draws, parents: readonly number[]) {
    [this.scenario, this.draws, this.#course] = [scenario, draws, course];
    this.#checkpoints = new MemoryCheckpoints((checkpoint) => course.checkpoint(checkpoint));
    this.root = this.#newNetwork(() => this.coordinator?.clock);
    const places: RelayPlace[] = [];
    for (const [i, parent] of parents.entries()) {
      const above = places[parent]?.below ?? this.root;
      const below = this.#newNetwork(() => places[i]?.process?.clock);
      places.push({ name: `relay ${i + 1}`, above, below, process: undefined });
    }
    this.places = places;
    this.startCoordinator();
    for (const place of places) this.startRelay(place);
  }

  get result(): TrainingResult | undefined {
    return this.coordinator?.result;
  }

  /** Workers that are not about to go. */
  get staying(): readonly WorkerProcess[] {
    return this.workers.filter(({ leaving, fails }) => !leaving && !fails);
  }

  get stayingAtRoot(): number {
    return this.staying.filter((worker) => this.#networkOf.get(worker) === this.root).length;
  }

  get relays(): readonly RelayProcess[] {
    return this.places.flatMap(({ process }) => process ?? []);
  }

  /** Whether a number may be NaN without being the second one of its step. */
  get maySpoil(): boolean {
    return this.#steps > this.#spoiltAtStep + 1 && this.workers.every(({ spoils }) => spoils.length === 0);
  }

  startCoordinator(): void {
    if (this.coordinator !== undefined) return;
    this.lives += 1;
    const coordinator = new CoordinatorProcess({
      ...{ scenario: this.scenario, checkpoints: this.#checkpoints, course: this.#course },
      ...{ clock: this.#newClock(), transport: this.root.listen(), damagedCheckpoints: 0 },
      writingMs: () => this.draws.between(0, 300),
      trace: (line) => {
        this.note(line);
        if (this.watchesLosses && line().includes(" lost (")) this.losses.push(line());
      },
      onStep: () => (this.#steps += 1),
      onMalformed: () => {},
      onTrouble: (thrown) => (this.#trouble ??= { thrown }),
    });
    this.coordinator = coordinator;
    void coordinator.run();
  }

  killCoordinator(): void {
    this.root.lose(({ direction }) => direction === "to-worker" && this.draws.uniform() < 0.7);
    this.coordinator?.kill();
    this.coordinator = undefined;
  }

  startRelay(place: RelayPlace): void {
    if (place.process !== undefined) return;
    const say = (text: string): void => {
      this.note(() => `${place.name} says: ${text}`);
      if (this.watchesLosses && /^(worker-lost|disconnected)/.test(text)) this.losses.push(text);
    };
    const process = new RelayProcess(place.name, this.#newClock(), place.above, place.below, say);
    place.process = process;
    this.#networkOf.set(process, place.above);
    this.note(() => `${place.name} starts as ${process.end.peer}`);
    void this.#untilRelayEnded(place, process);
  }

  killRelay(place: RelayPlace): void {
    const { process, above, below } = place;
    if (process === undefined) return;
    const { peer } = process.end;
    above.lose((passage) => passage.peer === peer && this.draws.uniform() < 0.5);
    below.lose(({ direction }) => direction === "to-worker" && this.draws.uniform() < 0.7);
    process.kill();
    place.process = undefined;
  }

  join(network: MemoryNetwork): void {
    this.#started += 1;
    const name = `process ${this.#started}`;
    const end = network.connect();
    const worker = new WorkerProcess({
      ...{ name, scenario: this.scenario, clock: this.#newClock(), end, draws: this.draws },
      trace: (line) => this.note(line),
      onSpoilt: () => (this.#spoiltAtStep = this.#steps),
    });
    this.workers = [...this.workers, worker];
    this.#networkOf.set(worker, network);
    this.note(() => `${name} starts as ${end.peer} below ${this.#nameOf(network)}`);
    void this.#untilWorkerEnded(worker);
  }

  killWorker(worker: WorkerProcess): void {
    const { peer } = worker.end;
    this.#networkOf.get(worker)?.lose((passage) => passage.peer === peer && this.draws.uniform() < 0.5);
    worker.kill();
    this.workers = this.workers.filter((other) => other !== worker);
  }

  /** Sends what no worker would, over a connection of its own. */
  sendGarbage(network: MemoryNetwork, connected: Connected): void {
    const frames = [this.draws.bytes(1 + this.draws.below(200))];
    if (this.#networkOf.get(connected) === network) connected.end.send(frames);
  }

  networkOf(connected: Connected): MemoryNetwork | undefined {
    return this.#networkOf.get(connected);
  }

  /** Delivers a message somewhere, or lets time pass until the next timer, and waits for all that follows at once. */
  async turn(deliveries: number): Promise<void> {
    const delivered = this.draws.uniform() < deliveries && this.#deliver();
    if (!delivered && !this.time.advance() && !this.#deliver()) throw new Error("nothing can happen");
    for (let i = 0; i < 2; i++) await new Promise<void>((resolve) => setImmediate(resolve));
    if (this.#trouble !== undefined) throw this.#trouble.thrown;
  }

  #deliver(): boolean {
    const networks = [this.root, ...this.places.map(({ below }) => below)];
    return this.draws.shuffled(networks).some((network) => network.deliver((count) => this.draws.below(count)));
  }

  /** From now on nothing goes wrong any more, and what was disturbed is mended. */
  calm(): void {
    this.quality = PERFECT;
    for (const each of [...this.workers, ...this.relays]) {
      each.clock.frozen = false;
      [each.link["to-coordinator"], each.link["to-worker"]] = ["open", "open"];
    }
    for (const worker of this.workers) [worker.slowness, worker.spoils] = [1, []];
    if (this.coordinator !== undefined) this.coordinator.clock.frozen = false;
    this.startCoordinator();
    for (const place of this.places) this.startRelay(place);
  }

  note(line: () => string): void {
    const at = this.time.now;
    this.#trace.push(() => `${(at / 1000).toFixed(3)} ${line()}`);
    if (this.#trace.length > 2 * TRACE_LINES) this.#trace = this.#trace.slice(-TRACE_LINES);
  }

  trace(lines: number): string {
    return this.#trace
      .slice(-lines)
      .map((line) => line())
      .join("\n");
  }

  #nameOf(network: MemoryNetwork): string {
    return this.places.find(({ below }) => below === network)?.name ?? "the coordinator";
  }

  #newNetwork(listener: () => FakeClock | undefined): MemoryNetwork {
    const owners = new Map<PeerId, Connected>();
    // Nothing is delivered but by `turn`.
    const network: MemoryNetwork = new MemoryNetwork(
      (passage) => this.#fate(passage, () => listener()?.frozen === true, this.#ownerOf(network, passage.peer)),
      () => {},
    );
    this.#ownersOf.set(network, owners);
    return network;
  }

  /** Remembered, since a connection that is gone may still have messages under way. */
  #ownerOf(network: MemoryNetwork, peer: PeerId): Connected | undefined {
    const owners = this.#ownersOf.get(network);
    const found =
      owners?.get(peer) ??
      [...this.workers, ...this.relays].find((each) => this.#networkOf.get(each) === network && each.end.peer === peer);
    if (found !== undefined) owners?.set(peer, found);
    return found;
  }

  #fate({ direction, frames }: Passage, isListenerFrozen: () => boolean, owner: Connected | undefined): Fate {
    if (direction === "to-coordinator" && frames.length === 0) return { copies: 1, delay: 0, held: isListenerFrozen };
    const { draws, time } = this;
    const { lost, repeated, overtaken, damaged, latencyMs } = this.quality;
    const isLost = draws.uniform() < lost || owner?.link[direction] === "lost";
    // An answer that is not finite and comes twice cannot be told from two such answers.
    const isRepeated = draws.uniform() < repeated && !hasNaN(frames);
    const delay = draws.uniform() < overtaken ? draws.below(FARTHEST) : 0;
    const dueAt = time.now + draws.uniform() * latencyMs;
    const isReceiverFrozen = direction === "to-worker" ? () => owner?.clock.frozen === true : isListenerFrozen;
    return {
      ...{ copies: isLost ? 0 : isRepeated ? 2 : 1, delay, apart: draws.below(FARTHEST) },
      damaged: draws.uniform() < damaged,
      held: () => time.now < dueAt || isReceiverFrozen() || owner?.link[direction] === "held",
    };
  }

  async #untilWorkerEnded(worker: WorkerProcess): Promise<void> {
    const { code, text } = await worker.run();
    this.workers = this.workers.filter((other) => other !== worker);
    worker.clock.stop();
    this.note(() => `${worker.name} ends: ${code} ${text}`);
    const mayFail = text.startsWith("no coordinator at ") || text === FAILURE;
    if (code !== 0 && code !== 143 && !mayFail) this.#fail(`${worker.name} has failed: ${text}`);
  }

  async #untilRelayEnded(place: RelayPlace, process: RelayProcess): Promise<void> {
    try {
      const { code, text } = await process.run();
      this.note(() => `${place.name} ends: ${code} ${text}`);
      const mayFail = /^(no coordinator or relay at |nobody below )/.test(text);
      if (code !== 0 && code !== 143 && !mayFail) this.#fail(`${place.name} has failed: ${text}`);
    } catch (thrown) {
      this.#trouble ??= { thrown };
    }
    process.clock.stop();
    if (place.process === process) place.process = undefined;
  }

  #fail(text: string): void {
    this.#trouble ??= { thrown: new Error(text) };
  }

  #newClock(): FakeClock {
    return this.time.clock(this.draws.between(0, 1e9));
  }
}

/** Where `NoiseEngine` puts one, each sum that it is part of has one. */
function hasNaN([, ...payload]: Passage["frames"]): boolean {
  return payload.some(({ buffer, byteOffset, byteLength }) => {
    return byteLength >= 4 && Number.isNaN(new DataView(buffer, byteOffset, byteLength).getFloat32(0, true));
  });
}
