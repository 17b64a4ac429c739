import { PassThrough } from "node:stream";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { LocalExit, LocalWorker } from "../../src/local-workers/local-worker.ts";
import { LocalWorkers } from "../../src/local-workers/local-workers.ts";
import { systemClock } from "../../src/shared/clock.ts";

/** A worker that lives and dies as the test says. */
class FakeWorker implements LocalWorker {
  readonly name: string;
  readonly pid: number;
  readonly stderr = new PassThrough();
  readonly end = vi.fn<() => void>();
  readonly kill = vi.fn<() => void>();
  isAlive = true;
  #listener: (exit: LocalExit) => void = () => {};

  constructor(number: number) {
    this.name = `worker ${number}`;
    this.pid = 4_700 + number;
  }

  onExit(listener: (exit: LocalExit) => void): void {
    this.#listener = listener;
  }

  async die(exit: Partial<LocalExit> = {}, lastWords = ""): Promise<void> {
    this.isAlive = false;
    this.#listener({ reason: "it died", code: 1, ...exit });
    this.stderr.end(lastWords);
    // Streams go on in later turns.
    for (let i = 0; i < 10; i++) await new Promise(setImmediate);
  }
}

let launched: FakeWorker[];
let warnings: string[];
let pids: (number | undefined)[];
let tooFew: string[];
let isOver: boolean;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
  [launched, warnings, tooFew, pids] = [[], [], [], []];
  isOver = false;
});
afterEach(() => {
  vi.useRealTimers();
});

function start(count: number, needed = 1, launch?: () => LocalWorker): LocalWorkers {
  return new LocalWorkers({
    ...{ count, needed, clock: systemClock, isOver: () => isOver },
    launch:
      launch ??
      (() => {
        const worker = new FakeWorker(launched.length + 1);
        launched.push(worker);
        return worker;
      }),
    onTooFew: (message) => tooFew.push(message),
    onWarning: (message, pid) => {
      warnings.push(message);
      pids.push(pid);
    },
  });
}

const last = (): FakeWorker => launched.at(-1)!;

test("what a worker writes is passed on line by line, with its process id", async () => {
  start(2);
  await last().die({}, "Error: x\n    at y\n");
  expect(warnings).toEqual(["worker 2: Error: x", "worker 2:     at y"]);
  expect(pids).toEqual([4_702, 4_702]);
});

test("nobody is missed once the run is over, however long its last checkpoint takes", async () => {
  start(3, 3);
  await launched[0]!.die();
  isOver = true;
  await launched[1]!.die({ code: 0, reason: "its thread ended with code 0" });
  await launched[2]!.die({ code: 0, reason: "its thread ended with code 0" });
  await vi.advanceTimersByTimeAsync(120_000);
  expect({ launched: launched.length, warnings, tooFew }).toEqual({ launched: 3, warnings: [], tooFew: [] });
});

describe("a worker that dies", () => {
  test("is started again five times while the run does not get on, then given up", async () => {
    start(1);
    for (const pauseMs of [100, 200, 250, 250, 250]) {
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

  test("is started again for as long as the run gets on, and so are the others", async () => {
    const workers = start(2);
    for (let death = 0; death < 100; death++) {
      workers.progressed();
      await launched.findLast(({ isAlive }) => isAlive)!.die({ reason: "its process was ended by SIGKILL" });
      vi.advanceTimersByTime(250);
    }
    expect(launched.length).toBeGreaterThan(90);
    expect(launched.filter(({ isAlive }) => isAlive).length).toBeGreaterThan(0);
    expect(tooFew).toEqual([]);
    // Once for each of the two, however often they died.
    expect(warnings).toHaveLength(2);
  });

  test("waits longer and longer while another works, and comes at once when that one dies", async () => {
    const workers = start(2);
    for (const pauseMs of [100, 200, 400, 800, 1_600, 3_200, 5_000]) {
      workers.progressed();
      const before = launched.length;
      await launched.findLast(({ isAlive }) => isAlive)!.die();
      vi.advanceTimersByTime(pauseMs - 1);
      expect(launched).toHaveLength(before);
      vi.advanceTimersByTime(1);
      expect(launched).toHaveLength(before + 1);
    }
    workers.progressed();
    await last().die();
    vi.advanceTimersByTime(1_000);
    const before = launched.length;
    const [healthy] = launched;
    expect(healthy!.isAlive).toBe(true);
    await healthy!.die();
    vi.advanceTimersByTime(100);
    expect(launched, "the first death of this one").toHaveLength(before + 1);
    vi.advanceTimersByTime(150);
    expect(launched, "the one that waited").toHaveLength(before + 2);
    expect(vi.getTimerCount()).toBe(0);
  });

  test("is waited for no longer when the last other one is given up", async () => {
    start(2);
    for (const pauseMs of [100, 200, 400, 800]) {
      await launched.findLast(({ isAlive }) => isAlive)!.die();
      vi.advanceTimersByTime(pauseMs);
    }
    await last().die();
    await launched[0]!.die({ code: 4 });
    const before = launched.length;
    vi.advanceTimersByTime(250);
    expect(launched).toHaveLength(before + 1);
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
    // The second is on its way.
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

describe("a worker that dies again and again", () => {
  async function dieQuickly(times: number, words: string): Promise<void> {
    for (let death = 0; death < times; death++) {
      await last().die({}, words);
      vi.advanceTimersByTime(5_000);
    }
  }

  test("is not listened to for long, nor for ever not", async () => {
    const workers = start(1);
    await dieQuickly(4, "boom\n");
    expect(warnings).toEqual([
      ...["worker 1: boom", "worker 2: boom", "worker 3: boom", "worker 4: boom"],
      "worker 4 died (it died), as did those before it: the next ones are started after longer pauses while others " +
        "work, and what they write is not shown until one of them lives for half a minute",
    ]);
    warnings.length = 0;
    for (let i = 0; i < 10; i++) {
      workers.progressed();
      await dieQuickly(1, "boom\n");
    }
    expect(warnings).toEqual([]);
    vi.advanceTimersByTime(25_001);
    await last().die({}, "after a long life\n");
    expect(warnings).toEqual(["worker 15: after a long life"]);
    expect(tooFew).toEqual([]);
  });

  test("is remembered by its last words even so", async () => {
    start(1);
    await dieQuickly(5, "boom\n");
    await last().die({}, "bang\n");
    expect(tooFew).toEqual(["the only worker has ended, again and again; the last time: it died (bang)"]);
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
    vi.advanceTimersByTime(100 + 200 + 3 * 250);
    expect(attempts).toBe(2 * 6);
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
