import { once } from "node:events";
import { text } from "node:stream/consumers";
import { Worker as Thread, type WorkerOptions } from "node:worker_threads";
import { expect, test } from "vitest";
import type { LocalExit, LocalWorker } from "../../src/local-workers/local-worker.ts";
import { localThread } from "../../src/local-workers/thread.ts";

/** Real threads that run the code given, and how they end. */

interface Running {
  readonly worker: LocalWorker;
  readonly thread: Thread;
  readonly exit: Promise<LocalExit>;
  /** What the coordinator was told, in order with the exit itself. */
  readonly told: string[];
}

function run(code: string, options: WorkerOptions = {}): Running {
  const thread = new Thread(code, { eval: true, stdout: true, stderr: true, ...options });
  const told: string[] = [];
  const worker = localThread(thread, (reason) => told.push(reason));
  const exit = new Promise<LocalExit>((resolve) => {
    worker.onExit((each) => {
      told.push("exit");
      resolve(each);
    });
  });
  return { worker, thread, exit, told };
}

test.each([
  ["ends by itself", "", { reason: "its thread ended with code 0", code: 0 }],
  ["sets an exit code", "process.exitCode = 4", { reason: "its thread ended with code 4", code: 4 }],
  ["exits", "process.exit(7)", { reason: "its thread ended with code 7", code: 7 }],
])("a thread that %s is reported with its code", async (_, code, expected) => {
  const { exit, told } = run(code);
  expect(await exit).toEqual(expected);
  expect(told, "the coordinator is told first").toEqual([expected.reason, "exit"]);
});

test.each([
  ["throws", 'function part() { throw new Error("boom"); } part();', "boom", /^.*Error: boom\n +at part /s],
  ["rejects", 'void (async function part() { throw new Error("boom"); })();', "boom", /^Error: boom\n +at part /],
  ["throws what is no error", 'throw "boom"', "boom", undefined],
  ["throws nothing", "throw undefined", "undefined", undefined],
])("a thread that %s is reported with what it threw", async (_, code, message, stack) => {
  const exit = await run(code).exit;
  expect(exit).toMatchObject({ reason: `its thread failed: ${message}`, code: 1 });
  if (stack === undefined) expect(exit).not.toHaveProperty("stack");
  else expect(exit.stack).toMatch(stack);
});

test("a thread that has used up its memory is reported, and nothing else ends", async () => {
  const code = "const kept = []; for (;;) kept.push(new Array(1_000).fill(kept.length));";
  const { exit } = run(code, { resourceLimits: { maxOldGenerationSizeMb: 16 } });
  expect(await exit).toMatchObject({ reason: expect.stringMatching(/^its thread failed: .*memory/), code: 1 });
});

test.each(["end", "kill"] as const)("%s stops a thread in the midst of a loop", async (how) => {
  const { worker, thread, exit } = run('require("node:worker_threads").parentPort.postMessage("begun"); for (;;);');
  await once(thread, "message");
  worker[how]();
  expect(await exit).toEqual({ reason: "its thread ended with code 1", code: 1 });
});

test("what a thread writes to stdout is dropped, however much; what it writes to stderr can be read to the end", async () => {
  const code = `
    for (let i = 0; i < 1_000; i++) process.stdout.write("x".repeat(10_000));
    for (let i = 0; i < 100; i++) process.stderr.write("line " + i + "\\n");
    process.exit(3);
  `;
  const { worker, thread, exit } = run(code);
  const said = text(worker.stderr);
  expect(await exit).toMatchObject({ code: 3 });
  expect((await said).split("\n").at(-2)).toBe("line 99");
  expect(thread.stdout.readableLength).toBe(0);
});
