import { stripVTControlCharacters } from "node:util";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { Progress, type ProgressOptions } from "../../src/coordinator/progress.ts";
import type { TextStream } from "../../src/shared/text-output.ts";
import { epoch, finished, resumed, started, step, workerLeft } from "./training-events.ts";

class FakeStream implements TextStream {
  text = "";
  readonly isTTY: boolean;
  readonly columns: number | undefined;

  constructor(columns?: number) {
    this.isTTY = columns !== undefined;
    this.columns = columns;
  }

  write(text: string): boolean {
    this.text += text;
    return true;
  }

  get lines(): string[] {
    return this.text.split("\n").slice(0, -1);
  }
}

function setUp(options: Partial<ProgressOptions> = {}, stdout = new FakeStream(), stderr = new FakeStream()) {
  const clock = { ms: 0 };
  const progress = new Progress({
    stdout,
    stderr,
    now: () => clock.ms,
    environment: {},
    logEvery: 400,
    json: false,
    quiet: false,
    workersByHand: false,
    ...options,
  });
  return { progress, stdout, stderr, clock };
}

const ACCURACY = "Accuracy of the network on the 10000 test images: 98.96 %";

describe("without a terminal", () => {
  test("a run is told in plain lines", () => {
    const { progress, stdout, stderr } = setUp();
    progress.handle(started());
    for (let i = 1; i <= 938; i++) progress.handle(step({ step: i, stepInEpoch: i }));
    progress.handle(epoch());
    progress.handle(finished({ workersLost: 1 }));
    progress.close();
    expect(stdout.lines).toEqual([
      "Training on 60,000 images: 10 epochs of 938 steps, 2 workers",
      "Epoch [1/10], Step [400/938], Loss: 0.0907",
      "Epoch [1/10], Step [800/938], Loss: 0.0907",
      "Epoch [1/10] done: train loss 0.2001, test accuracy 98.10 %, 28,412 images/s",
      ACCURACY,
      "Trained 9,380 steps in 24.3 s: 24,651 images/s with 2 workers, 1 lost on the way, wasm engine",
      "Weights 0123456789abcdef (SHA-256), checkpoint runs/a/checkpoints/step-009380.safetensors",
      "Evaluate them with: npx lockstep eval --checkpoint runs/a/checkpoints/step-009380.safetensors",
    ]);
    expect(stderr.text).toBe("");
  });

  test("what limited the run is one line after its speed, where that is known", () => {
    const summary = "Limited by the exchange: 2 workers do the work of 1.4; try --batch-size 128";
    const shares = { computing: 0.7, inputs: 0, exchange: 0.3, coordinator: 0, imbalance: 0, idle: 0 };
    const efficiency = { limitedBy: "exchange", summary, steps: 888, workers: 2, workDone: 1.4, shares } as const;
    const loud = setUp();
    for (const event of [started(), finished({ efficiency })]) loud.progress.handle(event);
    const [speed] = loud.stdout.lines.filter((line) => line.startsWith("Trained"));
    expect(loud.stdout.lines[loud.stdout.lines.indexOf(speed!) + 1]).toBe(summary);
    const quiet = setUp({ quiet: true });
    for (const event of [started(), finished({ efficiency })]) quiet.progress.handle(event);
    expect(quiet.stdout.text).not.toContain("Limited");
    const json = setUp({ json: true });
    for (const event of [started(), finished({ efficiency })]) json.progress.handle(event);
    expect(json.stderr.lines).toContain(summary);
    expect(JSON.parse(json.stdout.text)).toMatchObject({ efficiency });
  });

  test("--json moves it all to stderr and prints the result last", () => {
    const { progress, stdout, stderr } = setUp({ json: true });
    const end = finished();
    for (const event of [started(), step(), epoch(), end]) progress.handle(event);
    expect(stdout.lines).toHaveLength(1);
    expect(JSON.parse(stdout.text)).toEqual(end.type === "finished" && end.result);
    expect(stderr.lines).toContain(ACCURACY);
  });

  test("--quiet leaves the accuracy and the warnings", () => {
    const { progress, stdout, stderr } = setUp({ quiet: true }, new FakeStream(80));
    for (const event of [started(), step(), workerLeft(), epoch(), finished()]) progress.handle(event);
    expect(stripVTControlCharacters(stdout.text)).toBe(`${ACCURACY}\n`);
    expect(stderr.lines).toEqual(["lost worker w2: killed by SIGKILL; 3 shards reassigned, 1 worker left"]);
  });

  test("warnings go to stderr, and a worker that says goodbye is no warning", () => {
    const { progress, stdout, stderr } = setUp();
    progress.handle(workerLeft({ reason: "its host went silent.", shardsReassigned: 1, workers: 0 }));
    progress.handle({ type: "warning", message: "the disk is full" });
    progress.handle(workerLeft({ lost: false, reason: "it was drained", shardsReassigned: 0 }));
    expect(stderr.lines).toEqual([
      "lost worker w2: its host went silent; 1 shard reassigned, 0 workers left",
      "warning: the disk is full",
    ]);
    expect(stdout.lines).toEqual(["Released worker w2: it was drained; 0 shards reassigned, 1 worker left"]);
  });

  test("says how many workers are used, and why; those that stand by are no surprise later", () => {
    const { progress, stdout } = setUp();
    const tried = [
      { workers: 2, stepMs: 1.789 },
      { workers: 1, stepMs: 2.9 },
    ];
    for (const workers of [2, 1]) progress.handle({ type: "workers-chosen", workers, tried });
    expect(stdout.lines).toEqual([
      "Using 2 of 2 workers: a step takes 1.79 ms with 2, 2.90 ms with 1",
      "Using 1 of 2 workers: a step takes 1.79 ms with 2, 2.90 ms with 1; the others stand by",
    ]);
  });

  test("a resumed run says where it goes on, and how much was done since", () => {
    const { progress, stdout } = setUp();
    progress.handle(resumed());
    progress.handle(started({ step: 1500 }));
    progress.handle(step({ step: 1600, epoch: 2, stepInEpoch: 662 }));
    progress.handle(finished({ resumedFrom: 1500 }));
    expect(stdout.lines.slice(0, 4)).toEqual([
      "Resuming runs/a from step 1,500 of 9,380 (epoch 2 of 10)",
      "Training on 60,000 images: 10 epochs of 938 steps, 2 workers",
      ACCURACY,
      "Trained 7,880 steps (9,380 in all) in 24.3 s: 24,651 images/s with 2 workers, wasm engine",
    ]);
  });

  test("a run that was complete before is told as such", () => {
    const { progress, stdout } = setUp();
    progress.handle(resumed({ step: 9380, epoch: 10 }));
    progress.handle(finished({ resumedFrom: 9380, workers: 0, trainSeconds: 0 }));
    expect(stdout.lines).toEqual([
      "Resuming runs/a from step 9,380 of 9,380 (epoch 10 of 10)",
      ACCURACY,
      "Weights 0123456789abcdef (SHA-256), checkpoint runs/a/checkpoints/step-009380.safetensors",
      "Evaluate them with: npx lockstep eval --checkpoint runs/a/checkpoints/step-009380.safetensors",
    ]);
  });

  test("a coordinator says how to start a worker", () => {
    const { progress, stdout, stderr } = setUp({ workersByHand: true });
    progress.handle({ type: "listening", address: "tcp://0.0.0.0:5555" });
    progress.handle({ type: "waiting", workers: 0, minWorkers: 1, waitedMs: 10_003 });
    progress.handle({
      type: "worker-joined",
      worker: "w1",
      engine: "wasm",
      device: "cpu",
      host: "h",
      pid: 7,
      workers: 1,
    });
    expect(stdout.lines).toEqual([
      "Listening on tcp://0.0.0.0:5555; start workers with: lockstep worker --connect tcp://HOST:5555",
      "Worker w1 joined: wasm on cpu, host h, pid 7; 1 worker ready",
    ]);
    expect(stderr.lines).toEqual([
      "waiting for workers: 0 of 1 ready after 10 s; start one with: lockstep worker --connect tcp://HOST:5555",
    ]);
  });

  test("a run that starts its own workers does not", () => {
    const { progress, stdout, stderr } = setUp();
    progress.handle({ type: "listening", address: "tcp://127.0.0.1:5555" });
    progress.handle({ type: "waiting", workers: 0, minWorkers: 1, waitedMs: 20_000 });
    expect(stdout.text).toBe("");
    expect(stderr.lines).toEqual(["waiting for workers: 0 of 1 ready after 20 s"]);
  });

  test("a run that was interrupted before its first evaluation claims no accuracy", () => {
    const { progress, stdout } = setUp();
    progress.handle(started());
    progress.handle(finished({ interruptedBy: "SIGINT", steps: 5, checkpoint: "my runs/c" }));
    expect(stdout.lines[1]).toBe("Interrupted by SIGINT after 5 steps");
    expect(stdout.text).not.toContain("Accuracy");
    expect(stdout.lines.at(-1)).toBe("Evaluate them with: npx lockstep eval --checkpoint 'my runs/c'");
  });
});

describe("on a terminal", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  test("a bar shows the state, is redrawn by itself and goes away", () => {
    const { progress, stdout, clock } = setUp({}, new FakeStream(120));
    progress.handle(started());
    clock.ms = 1000;
    progress.handle(step({ step: 469, stepInEpoch: 469, samples: 30_000 }));
    stdout.text = "";
    vi.advanceTimersByTime(100);
    expect(stdout.text).toContain(
      "] 5 % | Epoch 1/10 | step 469/9,380 | loss 0.0907 | 30,000 img/s | ETA 0:19 | 2 workers",
    );
    progress.close();
    expect(vi.getTimerCount()).toBe(0);
    expect(stdout.text.endsWith("\u001B[0J")).toBe(true);
  });

  test("of a resumed run, the bar begins where that does", () => {
    const { progress, stdout, clock } = setUp({}, new FakeStream(120));
    progress.handle(started({ step: 8442 }));
    vi.advanceTimersByTime(100);
    expect(stdout.text).toContain("] 90 % | Epoch 10/10 | step 8,442/9,380 | loss - | 0 img/s | ETA - | 2 workers");
    clock.ms = 1000;
    progress.handle(step({ step: 8911, stepInEpoch: 469, epoch: 10, samples: 30_000 }));
    stdout.text = "";
    vi.advanceTimersByTime(100);
    expect(stdout.text).toContain("] 95 % | Epoch 10/10 | step 8,911/9,380 | loss 0.0907 | 30,000 img/s | ETA 0:01 |");
    progress.close();
  });

  test("lines are printed above it, on a cleared line, and it is drawn again", () => {
    const terminal = new FakeStream(100);
    const { progress } = setUp({ environment: { NO_COLOR: "1" } }, terminal, terminal);
    progress.handle(started());
    terminal.text = "";
    progress.handle(workerLeft());
    const [line, bar] = terminal.text.split("\n");
    expect(line).toContain("\u001B[1G\u001B[2Klost worker w2: ");
    expect(bar?.startsWith("\u001B[1G[--------")).toBe(true);
    expect(bar?.endsWith("| 1 worker\u001B[0K")).toBe(true);
    progress.close();
  });

  test("steps are not printed as lines, epochs are", () => {
    const { progress, stdout } = setUp({}, new FakeStream(100));
    for (const event of [started(), step(), epoch(), finished()]) progress.handle(event);
    expect(stdout.text).not.toContain("Step [400/938]");
    expect(stdout.text).toContain("Epoch [1/10] done: train loss 0.2001");
    expect(stdout.text).toContain(`\u001B[1m${ACCURACY}\u001B[22m\n`);
  });

  test("warnings leave for a stderr that is not the terminal", () => {
    const { progress, stderr, stdout } = setUp({}, new FakeStream(100));
    progress.handle(started());
    progress.handle(workerLeft());
    expect(stderr.lines).toHaveLength(1);
    expect(stdout.text).not.toContain("lost worker");
    progress.close();
  });

  test("NO_COLOR means no colour", () => {
    const { progress, stdout } = setUp({ environment: { NO_COLOR: "1" } }, new FakeStream(100));
    for (const event of [started(), epoch(), finished()]) progress.handle(event);
    expect(stdout.text).toContain(`${ACCURACY}\n`);
    expect(stdout.text).not.toContain("\u001B[1m");
  });

  test("a dumb terminal gets plain lines", () => {
    const { progress, stdout } = setUp({ environment: { TERM: "dumb" } }, new FakeStream(100));
    for (const event of [started(), step(), epoch(), finished()]) progress.handle(event);
    expect(stdout.lines).toContain("Epoch [1/10], Step [400/938], Loss: 0.0907");
    expect(stdout.text).not.toContain("\u001B");
  });
});

test("a reader that has gone does not matter", () => {
  const gone: TextStream = {
    isTTY: true,
    columns: 80,
    write: () => {
      throw new Error("write EPIPE");
    },
  };
  const { progress } = setUp({}, gone as FakeStream, gone as FakeStream);
  for (const event of [started(), step(), workerLeft(), epoch(), finished()]) progress.handle(event);
  progress.close();
});
