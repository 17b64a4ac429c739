import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, readlinkSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { CheckpointStore, findCheckpoint } from "../../src/coordinator/checkpoint-store.ts";
import { readCheckpoint } from "../../src/shared/checkpoint-file.ts";
import { uniformFrom } from "../support/floats.ts";

/** Kills a process again and again while it does nothing but write checkpoints, and looks at what it leaves. */

const KILLS = 40;
/** From the first checkpoint on: as long as some files take. */
const LONGEST_LIFE_MS = 60;
/** Epochs have as many steps. */
const EPOCH = 3;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-kill-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Goes on after `step` without end: saves three at a time, then waits for the disk; every third was evaluated. */
const writer = (step: number): string => `
  import { writeSync } from "node:fs";
  import { CheckpointStore } from ${JSON.stringify(built("coordinator/checkpoint-store.js"))};
  import { initialState } from ${JSON.stringify(built("shared/model/initialise.js"))};
  import { PARAMETER_COUNT } from ${JSON.stringify(built("shared/model/lenet5.js"))};
  const store = await CheckpointStore.open({
    folder: ${JSON.stringify(folder)},
    keep: 2,
    onSaved: ({ step }) => writeSync(1, "saved " + step + "\\n"),
    onFailed: (message) => writeSync(1, "failed " + message + "\\n"),
  });
  const [state, moments] = [initialState(1), new Float32Array(PARAMETER_COUNT)];
  for (let step = ${step + 1}; ; step++) {
    const epoch = Math.floor(step / ${EPOCH});
    const progress = {
      evaluatedEpochs: epoch, testErrors: epoch === 0 ? null : (epoch * 7) % 50, testSamples: 100,
      epochLossSum: step / 3, epochCorrect: 0, epochSamples: step % ${EPOCH},
    };
    const checkpoint = {
      formatVersion: 2, step, epoch, seed: 1, adamStep: step, config: {}, dataDigest: "d", engine: "wasm",
      progress, state, latest: state, adamM: moments, adamV: moments,
    };
    store.save(checkpoint, { isEvaluated: step % ${EPOCH} === 0 });
    if (step % 3 === 0) await store.settled();
  }
`;

function built(path: string): string {
  return new URL(`../../dist/${path}`, import.meta.url).href;
}

test(`after each of ${KILLS} kills there is a whole checkpoint, no older than the last one that was reported`, async () => {
  const uniform = uniformFrom(20);
  let step = 0;
  let interrupted = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const child = spawn(process.execPath, ["--input-type=module", "-e", writer(step)], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    let [stdout, stderr] = ["", ""];
    child.stderr.on("data", (data: Buffer) => (stderr += data.toString()));
    child.stdout.on("data", (data: Buffer) => {
      if (stdout === "") setTimeout(() => child.kill("SIGKILL"), uniform() * LONGEST_LIFE_MS);
      stdout += data.toString();
    });
    await once(child, "close");
    expect(child.signalCode, stderr).toBe("SIGKILL");
    expect(stdout).toMatch(/^(saved \d+\n)+$/);
    const reported = Number(/(\d+)\n$/.exec(stdout)?.[1]);

    const found = await findCheckpoint(folder);
    expect(found?.refused).toEqual([]);
    step = found?.checkpoint.step ?? 0;
    expect(step).toBeGreaterThanOrEqual(reported);
    for (const link of ["latest", ...(readdirSync(folder).includes("best") ? ["best"] : [])]) {
      const linked = await readCheckpoint(join(folder, readlinkSync(join(folder, link))));
      expect(linked.step).toBeLessThanOrEqual(step);
    }
    if (temporaryFiles().length > 0) interrupted += 1;
    await CheckpointStore.open({ folder, keep: 2, onSaved: () => {}, onFailed: (message) => expect.fail(message) });
    expect(temporaryFiles()).toEqual([]);
  }
  // Else the kills would have come at moments at which nothing is being written.
  expect(interrupted).toBeGreaterThan(0);
});

function temporaryFiles(): string[] {
  return readdirSync(folder).filter((name) => !/^(step-\d+\.safetensors|latest|best)$/.test(name));
}
