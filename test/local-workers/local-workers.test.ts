import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { LocalExit, LocalWorker } from "../../src/local-workers/local-worker.ts";
import { LocalWorkers } from "../../src/local-workers/local-workers.ts";

/** A worker that lives and dies as the test says. */
class FakeWorker implements LocalWorker {
  readonly name: string;
  readonly stderr = new PassThrough();
  readonly end = vi.fn<() => void>();
  readonly kill = vi.fn<() => void>();
  #listener: (exit: LocalExit) => void = () => {};

  constructor(number: number) {
    this.name = `worker ${number}`;
  }

  onExit(listener: (exit: LocalExit) => void): void {
    this.#listener = listener;
  }

  async die(exit: Partial<LocalExit> = {}, lastWords = ""): Promise<void> {
    this.#listener({ reason: "it died", code: 1, ...exit });
    this.stderr.end(lastWords);
    // Streams go on in later turns.
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
  }
}

let launched: FakeWorker[];
let warnings: string[];
let tooFew: string[];

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  [launched, warnings, tooFew] = [[], [], []];
});
afterEach(() => {
  vi.useRealTimers();
});

function start(count: number, needed = 1, launch?: () => LocalWorker): LocalWorkers {
  return new LocalWorkers({
    ...{ count, needed },
    launch:
      launch ??
      (() => {
        const worker = new FakeWorker(launched.length + 1);
        launched.push(worker);
        return worker;
      }),
    onTooFew: (message) => tooFew.push(message),
    onWarning: (message) => warnings.push(message),
  });
}

const last = (): FakeWorker => launched.at(-1)!;

describe("a worker that dies", () => {
  test("is started again three times, after longer and longer pauses, then given up", async () => {
    start(1);
    for (const pauseMs of [250, 500, 1_000]) {
      const before = launched.length;
      await last().die();
      vi.advanceTimersByTime(pauseMs - 1);
      expect(launched).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(launched).toHaveLength(before + 1);
    }
    expect(tooFew).toEqual([]);
    await last().die({ reason: "its thread failed: boom" });
    expect(tooFew).toEqual(["the only worker has ended, again and again; the last time: its thread failed: boom"]);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("after a long life has its restarts back", async () => {
    start(1);
    for (let death = 0; death < 10; death++) {
      vi.advanceTimersByTime(5 * 60_000 + 1);
      await last().die();
      vi.advanceTimersByTime(250);
    }
    expect(launched).toHaveLength(11);
    expect(tooFew).toEqual([]);
  });

  test.each([2, 4])("with exit code %i is not started again: it would be the same next time", async (code) => {
    start(1);
    await last().die({ code, reason: `its process exited with code ${code}` }, "lockstep: no such engine\n");
    vi.runAllTimers();
    expect(launched).toHaveLength(1);
    const reason = `its process exited with code ${code} (lockstep: no such engine)`;
    expect(tooFew).toEqual([`the only worker has ended; the last time: ${reason}`]);
  });

  test("does not end the run while enough others are left or on their way", async () => {
    start(3, 2);
    await launched[0]!.die({ code: 2 });
    expect([warnings, tooFew]).toEqual([["1 of 3 workers has ended; the last time: it died"], []]);
    await launched[1]!.die({ code: 1 });
    expect(tooFew).toEqual([]);
    await launched[2]!.die({ code: 2 });
    expect(tooFew).toEqual(["2 of 3 workers have ended; the last time: it died"]);
  });

  test("and the others too end the run with the last reason", async () => {
    start(2);
    for (const [i, worker] of launched.entries()) await worker.die({ code: 2, reason: `reason ${i}` });
    expect(tooFew).toEqual(["all 2 workers have ended; the last time: reason 1"]);
  });
});

describe("what a worker says", () => {
  test("becomes warnings under its name, line by line, and where it failed too", async () => {
    start(1);
    await last().die({ stack: "Error: boom\n    at work" }, "one\ntwo");
    expect(warnings).toEqual(["worker 1: one", "worker 1: two", "worker 1: Error: boom\n    at work"]);
  });

  test("last is what it is remembered by, but for what Node.js prints around an error", async () => {
    start(1);
    const words = [
      ..."/file.js:1\nthrow new Error('boom')\n^\n\nError: boom\n    at work (file.js:1:7) {\n  code: 'E'\n}\n".split(
        "\n",
      ),
      "Node.js v20.19.0",
    ];
    await last().die({ code: 2 }, `${words.join("\n")}\n`);
    expect(tooFew).toEqual(["the only worker has ended; the last time: it died (Error: boom)"]);
  });
});

describe("a worker that cannot be started", () => {
  test("is tried again, as one that dies", () => {
    let attempts = 0;
    start(2, 1, () => {
      attempts += 1;
      throw new Error("no more threads");
    });
    expect([attempts, tooFew]).toEqual([2, []]);
    vi.advanceTimersByTime(250 + 500 + 1_000);
    expect(attempts).toBe(2 * 4);
    expect(tooFew).toEqual([
      "all 2 workers have ended, again and again; the last time: could not be started: no more threads",
    ]);
  });
});

describe("the end of a run", () => {
  test("waits for workers that leave by themselves", async () => {
    const workers = start(2);
    const closed = workers.close();
    for (const worker of launched) await worker.die({ code: 0 });
    await closed;
    for (const { end, kill } of launched) expect([end.mock.calls, kill.mock.calls]).toEqual([[], []]);
    expect(vi.getTimerCount()).toBe(0);
    expect([launched.length, tooFew]).toEqual([2, []]);
  });

  test("ends those that do not leave, and kills those that do not end", async () => {
    const closed = start(1).close();
    vi.advanceTimersByTime(499);
    expect(last().end).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(last().end).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(2_999);
    expect(last().kill).not.toHaveBeenCalled();
    vi.advanceTimersByTime(1);
    expect(last().kill).toHaveBeenCalledOnce();
    await last().die();
    await closed;
  });

  test("starts nobody again, and is not interested in last words", async () => {
    const workers = start(2);
    await launched[0]!.die();
    const closed = workers.close();
    await launched[1]!.die({ stack: "Error: terminated" }, "goodbye\n");
    await closed;
    vi.runAllTimers();
    expect([launched.length, warnings, tooFew]).toEqual([2, [], []]);
  });
});
