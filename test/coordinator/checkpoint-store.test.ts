import fc from "fast-check";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  CheckpointStore,
  type CheckpointStoreOptions,
  findCheckpoint,
} from "../../src/coordinator/checkpoint-store.ts";
import { checkpointName, readCheckpoint, stepOfName } from "../../src/shared/checkpoint-file.ts";
import { type Checkpoint, encodeCheckpoint, stateSha256 } from "../../src/shared/checkpoint.ts";
import { checkpointOf, evaluatedCheckpoint } from "../support/checkpoints.ts";

let root: string;
let folder: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "lockstep-store-"));
  folder = join(root, "mine", "checkpoints");
});
afterEach(() => rmSync(root, { recursive: true }));

async function setUp(options: Partial<CheckpointStoreOptions> = {}) {
  const saved: { step: number; isBest: boolean }[] = [];
  const failures: string[] = [];
  const store = await CheckpointStore.open({
    ...{ folder, keep: 3, refuge: join(root, "refuge") },
    onSaved: ({ path, step, isBest }) => {
      expect(path).toBe(join(folder, checkpointName(step)));
      saved.push({ step, isBest });
    },
    onFailed: (message) => failures.push(message),
    ...options,
  });
  /** Saves one after the other. */
  const save = async (...checkpoints: Checkpoint[]): Promise<void> => {
    for (const checkpoint of checkpoints) {
      store.save(checkpoint, { isEvaluated: checkpoint.progress.evaluatedEpochs > 0 });
      await store.settled();
    }
  };
  return { store, saved, failures, save };
}

const files = (): string[] => readdirSync(folder).sort();
const steps = (): number[] => files().flatMap((name) => stepOfName(name) ?? []);
const linkOf = (name: string): string | undefined => {
  try {
    return readlinkSync(join(folder, name));
  } catch {
    return undefined;
  }
};
const put = (name: string, content: string | Uint8Array): void => {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, name), content);
};

describe("what stays in the folder", () => {
  test("is the whole checkpoint and a relative link to it", async () => {
    const { save, saved, failures } = await setUp();
    await save(checkpointOf(938));
    expect(files()).toEqual(["latest", "step-000938.safetensors"]);
    expect(linkOf("latest")).toBe("step-000938.safetensors");
    expect(Buffer.compare(readFileSync(join(folder, "latest")), encodeCheckpoint(checkpointOf(938)))).toBe(0);
    expect(saved).toEqual([{ step: 938, isBest: false }]);
    expect(failures).toEqual([]);
  });

  test("are the newest ones, by number, and the best, whatever comes", async () => {
    const saving = fc.record({ gap: fc.integer({ min: 1, max: 999_999 }), errors: fc.option(fc.nat(3)) });
    let number = 0;
    await fc.assert(
      fc.asyncProperty(
        fc.array(saving, { minLength: 1, maxLength: 12 }),
        fc.integer({ min: 1, max: 3 }),
        async (savings, keep) => {
          folder = join(root, `run-${number++}`, "checkpoints");
          const { save, saved } = await setUp({ keep, write: (path, bytes) => writeFile(path, bytes) });
          const known: { step: number; errors: number | null }[] = [];
          for (const { gap, errors } of savings) {
            const step = (known.at(-1)?.step ?? 0) + gap;
            known.push({ step, errors });
            const progress = errors === null ? {} : { evaluatedEpochs: 1, testErrors: errors };
            await save(checkpointOf(step, { epoch: 1, progress }));
            const fewest = Math.min(...known.map((each) => each.errors ?? Infinity));
            const best = known.find((each) => each.errors === fewest)?.step;
            const kept = new Set([
              ...known.slice(-keep).map((each) => each.step),
              ...(best === undefined ? [] : [best]),
            ]);
            expect(steps()).toHaveLength(kept.size);
            expect(new Set(steps())).toEqual(kept);
            expect(linkOf("latest")).toBe(checkpointName(step));
            expect(linkOf("best")).toBe(best === undefined ? undefined : checkpointName(best));
            expect(saved.at(-1)).toEqual({ step, isBest: step === best });
          }
        },
      ),
      { numRuns: 15 },
    );
  });

  test("is the one after an evaluation in the place of the one before it", async () => {
    const { save, saved } = await setUp();
    await save(checkpointOf(10, { epoch: 1 }), evaluatedCheckpoint(1, 100));
    expect(steps()).toEqual([10]);
    expect(linkOf("best")).toBe(checkpointName(10));
    expect(saved.map(({ isBest }) => isBest)).toEqual([false, true]);
  });

  test("is never the less for files of later steps, which a resumed run comes to once more", async () => {
    await (await setUp({ keep: 2 })).save(checkpointOf(30), checkpointOf(40));
    const { save } = await setUp({ keep: 2 });
    await save(checkpointOf(20));
    expect(steps()).toEqual([20, 30, 40]);
    await save(checkpointOf(30));
    expect(steps()).toEqual([30, 40]);
    expect(linkOf("latest")).toBe(checkpointName(30));
  });

  test("is whatever is not a whole checkpoint of ours, which counts for nothing", async () => {
    const whole = encodeCheckpoint(checkpointOf(5));
    put("step-000005.safetensors", whole.subarray(0, 1000));
    put("step-000006.safetensors", "a file of somebody's own");
    put("step-000007.safetensors", whole);
    put("step-9.safetensors", whole);
    put("notes.txt", "mine");
    mkdirSync(join(folder, "step-000008.safetensors"));
    symlinkSync("nowhere", join(folder, "step-000009.safetensors"));
    const before = files();
    const { save, failures } = await setUp({ keep: 1 });
    await save(checkpointOf(10), checkpointOf(20), checkpointOf(30));
    expect(files()).toEqual([...before, "latest", checkpointName(30)].sort());
    expect(failures).toEqual([]);
  });

  test("is a file that was damaged after it was written", async () => {
    const { save } = await setUp({ keep: 1 });
    await save(checkpointOf(10));
    truncateSync(join(folder, checkpointName(10)), 1000);
    await save(checkpointOf(20), checkpointOf(30));
    expect(steps()).toEqual([10, 30]);
  });

  test("is what was in a checkpoint's place and cannot be used, under another name", async () => {
    put(checkpointName(10), "a file of somebody's own");
    mkdirSync(join(folder, checkpointName(20), "in it"), { recursive: true });
    const { save, failures } = await setUp();
    await save(checkpointOf(10), checkpointOf(20));
    expect(failures).toEqual([]);
    expect((await readCheckpoint(join(folder, checkpointName(20)))).step).toBe(20);
    const [file, formerFolder] = files().filter((name) => name.includes(".refused-"));
    expect(readFileSync(join(folder, file!), "utf8")).toBe("a file of somebody's own");
    expect(readdirSync(join(folder, formerFolder!))).toEqual(["in it"]);
  });
});

describe("after a restart", () => {
  // That these weights were the evaluated ones is known by the batch size, or by the link alone.
  const told = { config: { batchSize: 64 }, progress: { epochSamples: 640 } };

  test("the best one is found by its link, and equals stay behind it", async () => {
    await (await setUp({ keep: 1 })).save(evaluatedCheckpoint(1, 100), evaluatedCheckpoint(2, 120), checkpointOf(25));
    const { save, saved } = await setUp({ keep: 1 });
    await save(evaluatedCheckpoint(3, 100), evaluatedCheckpoint(4, 99));
    expect(saved).toEqual([
      { step: 30, isBest: false },
      { step: 40, isBest: true },
    ]);
    expect(steps()).toEqual([40]);
  });

  test.each([
    { what: "is gone", spoil: () => rmSync(join(folder, "best")) },
    {
      what: "leads nowhere",
      spoil: () => {
        rmSync(join(folder, "best"));
        symlinkSync("step-000011.safetensors", join(folder, "best"));
      },
    },
    {
      what: "leads to a damaged file",
      spoil: () => {
        rmSync(join(folder, "best"));
        put("step-000040.safetensors", "damaged");
        symlinkSync("step-000040.safetensors", join(folder, "best"));
      },
    },
  ])("it is found among all where the link $what", async ({ spoil }) => {
    const ofEpoch = (epoch: number, testErrors: number, more: number): Checkpoint =>
      checkpointOf(epoch * 10 + more, {
        ...{ epoch, config: told.config },
        // In the middle of an epoch, the weights are no longer those that were evaluated.
        progress: { evaluatedEpochs: epoch, testErrors, epochSamples: more === 0 ? 640 : more * 64 },
      });
    const first = await setUp();
    await first.save(ofEpoch(1, 100, 0));
    first.store.save(ofEpoch(1, 100, 5), { isEvaluated: false });
    await first.store.settled();
    await first.save(ofEpoch(2, 90, 0));
    first.store.save(ofEpoch(2, 90, 5), { isEvaluated: false });
    await first.store.settled();
    spoil();
    const { save } = await setUp();
    await save(ofEpoch(3, 95, 0));
    expect(linkOf("best")).toBe(checkpointName(20));
  });

  test("temporary files of ours are gone, and nobody else's", async () => {
    const others = [".step-000010.safetensors.swp", ".notes.0123abcd.tmp", ".step-000010.safetensors.0123abcd.tmp~"];
    const ours = [".step-000010.safetensors.0123abcd.tmp", ".latest.89abcdef.tmp", ".best.00000000.tmp"];
    for (const name of [...others, ...ours]) put(name, "");
    const { failures } = await setUp();
    expect(files()).toEqual(others.sort());
    expect(failures).toEqual([]);
  });
});

describe("while a file is being written", () => {
  /** A disk that writes when it is told to. */
  function slowDisk() {
    const orders: { path: string; go: () => void }[] = [];
    const write = async (path: string, bytes: Uint8Array): Promise<void> => {
      await new Promise<void>((resolve) => orders.push({ path, go: resolve }));
      await writeFile(path, bytes);
    };
    /** Lets everything be written. */
    const finish = async (store: CheckpointStore): Promise<void> => {
      const progress = { isSettled: false };
      const settled = store.settled().then(() => (progress.isSettled = true));
      while (!progress.isSettled) {
        orders.splice(0).forEach(({ go }) => go());
        await new Promise(setImmediate);
      }
      await settled;
    };
    return { write, finish };
  }

  test("the newest waits, and the best of those that were evaluated", async () => {
    const disk = slowDisk();
    const { store, saved } = await setUp({ keep: 10, write: disk.write });
    store.save(checkpointOf(1), { isEvaluated: false });
    store.save(checkpointOf(2), { isEvaluated: false });
    store.save(evaluatedCheckpoint(1, 50), { isEvaluated: true });
    store.save(checkpointOf(11), { isEvaluated: false });
    store.save(evaluatedCheckpoint(2, 50), { isEvaluated: true });
    store.save(checkpointOf(21), { isEvaluated: false });
    await disk.finish(store);
    expect(saved.map(({ step }) => step)).toEqual([1, 10, 21]);
    store.save(checkpointOf(22), { isEvaluated: false });
    store.save(evaluatedCheckpoint(3, 40), { isEvaluated: true });
    store.save(evaluatedCheckpoint(4, 30), { isEvaluated: true });
    await disk.finish(store);
    expect(saved.map(({ step }) => step)).toEqual([1, 10, 21, 22, 40]);
  });

  test("its values may change", async () => {
    const disk = slowDisk();
    const { store } = await setUp({ write: disk.write });
    for (const step of [1, 2]) {
      const state = checkpointOf(0).state.slice();
      store.save(checkpointOf(step, { state }), { isEvaluated: false });
      state.fill(0);
    }
    await disk.finish(store);
    for (const step of [1, 2]) {
      const { state } = await readCheckpoint(join(folder, checkpointName(step)));
      expect(stateSha256(state)).toBe(stateSha256(checkpointOf(0).state));
    }
  });

  test("the last one waits for it", async () => {
    const disk = slowDisk();
    const { store, saved } = await setUp({ write: disk.write });
    store.save(checkpointOf(1), { isEvaluated: false });
    store.save(checkpointOf(2), { isEvaluated: false });
    const last = store.saveLast(checkpointOf(3));
    await disk.finish(store);
    // What was waiting is done; the last one itself is written now.
    while (saved.length < 3) await disk.finish(store);
    expect(await last).toBe(join(folder, checkpointName(3)));
    expect(saved.map(({ step }) => step)).toEqual([1, 2, 3]);
  });
});

describe("when something goes wrong", () => {
  test("with the disk, older checkpoints stay, and the next one is tried again", async () => {
    let isFull = false;
    const write = async (path: string, bytes: Uint8Array): Promise<void> => {
      if (isFull) throw Object.assign(new Error("ENOSPC: no space left on device, write"), { code: "ENOSPC" });
      await writeFile(path, bytes);
    };
    const { save, failures, saved } = await setUp({ keep: 1, write });
    await save(checkpointOf(10));
    isFull = true;
    await save(checkpointOf(20), checkpointOf(30));
    expect(steps()).toEqual([10]);
    expect(failures).toHaveLength(2);
    expect(failures[0]).toBe(
      `cannot write the checkpoint ${join(folder, checkpointName(20))}: ENOSPC: no space left on device, write; ` +
        "training goes on, and the next one is tried again",
    );
    isFull = false;
    await save(checkpointOf(40));
    expect(steps()).toEqual([40]);
    expect(saved.map(({ step }) => step)).toEqual([10, 40]);
  });

  test("with the folder, it is made again once that can be done", async () => {
    const { save, failures } = await setUp();
    await save(checkpointOf(10));
    rmSync(folder, { recursive: true });
    await save(checkpointOf(20));
    expect([steps(), failures]).toEqual([[20], []]);
    rmSync(folder, { recursive: true });
    writeFileSync(folder, "a file where the folder should be");
    await save(checkpointOf(30));
    expect(failures).toHaveLength(1);
    expect(failures[0]).toMatch(/^cannot write the checkpoint .*step-000030\.safetensors: ENOTDIR/);
    rmSync(join(root, "mine"), { recursive: true });
    await save(checkpointOf(40));
    expect([steps(), failures.length]).toEqual([[40], 1]);
  });

  test("when it is opened, it says so, and works once that is mended", async () => {
    mkdirSync(join(root, "mine"));
    writeFileSync(folder, "a file where the folder should be");
    const { save, failures } = await setUp();
    expect(failures).toEqual([expect.stringMatching(/^cannot read the checkpoints in .*: ENOTDIR/)]);
    rmSync(folder);
    await save(checkpointOf(10));
    expect([steps(), failures.length]).toEqual([[10], 1]);
  });

  test("with the links, it says so once, and leaves alone what has their name", async () => {
    put("latest", "mine");
    mkdirSync(join(folder, "best"));
    const warnings: string[] = [];
    const { save, failures, saved } = await setUp({ keep: 1, onWarning: (message) => warnings.push(message) });
    await save(evaluatedCheckpoint(1, 5), evaluatedCheckpoint(2, 4));
    expect(failures).toEqual([]);
    expect(warnings).toEqual([
      `cannot link checkpoints in ${folder}: cannot make the link ${join(folder, "latest")} to ${checkpointName(10)}: ` +
        "there is something else of this name; the checkpoints themselves are written",
    ]);
    expect(readFileSync(join(folder, "latest"), "utf8")).toBe("mine");
    expect(saved.map(({ step }) => step)).toEqual([10, 20]);
    expect(files()).toEqual(["best", "latest", checkpointName(20)]);
  });

  test("with the values, nothing on disk is touched", async () => {
    const { store, save } = await setUp();
    await save(checkpointOf(10));
    const before = readFileSync(join(folder, checkpointName(10)));
    const spoiled = checkpointOf(10, { state: checkpointOf(0).state.with(7, Number.NaN) });
    expect(() => store.save(spoiled, { isEvaluated: false })).toThrow(expect.objectContaining({ code: "diverged" }));
    await expect(store.saveLast(spoiled)).rejects.toMatchObject({ code: "diverged" });
    await store.settled();
    expect(readFileSync(join(folder, checkpointName(10))).equals(before)).toBe(true);
    expect(files()).toEqual(["latest", checkpointName(10)]);
  });
});

describe("the last checkpoint", () => {
  test("is not written again when it is there already", async () => {
    const { store, save, saved } = await setUp();
    await save(checkpointOf(10, { epoch: 1 }));
    expect(await store.saveLast(checkpointOf(10, { epoch: 1 }))).toBe(join(folder, checkpointName(10)));
    expect(saved).toHaveLength(1);
    await store.saveLast(evaluatedCheckpoint(1, 5), { isEvaluated: true });
    expect(saved.at(-1)).toEqual({ step: 10, isBest: true });
    expect((await readCheckpoint(join(folder, "latest"))).progress.testErrors).toBe(5);
    rmSync(join(folder, checkpointName(10)));
    await store.saveLast(evaluatedCheckpoint(1, 5), { isEvaluated: true });
    expect(saved).toHaveLength(3);
  });

  test("goes to the refuge where the folder takes none, beside what is there", async () => {
    const { store, failures } = await setUp();
    mkdirSync(join(root, "refuge"));
    writeFileSync(join(root, "mine"), "a file where the folder should be");
    const first = await store.saveLast(checkpointOf(10));
    const second = await store.saveLast(checkpointOf(10, { epoch: 1 }));
    expect([first, second]).toEqual([
      join(root, "refuge", "lockstep-mine-step-000010.safetensors"),
      join(root, "refuge", "lockstep-mine-step-000010-2.safetensors"),
    ]);
    expect(readdirSync(join(root, "refuge"))).toHaveLength(2);
    expect((await readCheckpoint(first)).epoch).toBe(0);
    expect((await readCheckpoint(second)).epoch).toBe(1);
    expect(failures[0]).toMatch(
      /^cannot write the last checkpoint .*: ENOTDIR.*; it is in .*refuge.* instead: copy it to .* to go on from it$/,
    );
  });

  test("fails when the refuge takes none either, and says both reasons", async () => {
    const { store } = await setUp({ refuge: join(root, "nowhere") });
    writeFileSync(join(root, "mine"), "a file where the folder should be");
    await expect(store.saveLast(checkpointOf(10))).rejects.toMatchObject({
      code: "failed",
      message: expect.stringMatching(/^cannot write the last checkpoint .*: ENOTDIR.*, nor .*nowhere.*: ENOENT/),
    });
  });
});

describe("findCheckpoint", () => {
  const whole = (step: number): Uint8Array => encodeCheckpoint(checkpointOf(step));

  test("finds none in a folder without any, and where there is no folder", async () => {
    expect(await findCheckpoint(folder)).toBeUndefined();
    put("notes.txt", "");
    put(".step-000010.safetensors.0123abcd.tmp", whole(10));
    symlinkSync("step-000010.safetensors", join(folder, "latest"));
    expect(await findCheckpoint(folder)).toBeUndefined();
  });

  test("finds the newest by number", async () => {
    for (const step of [999_999, 1_000_000, 5]) put(checkpointName(step), whole(step));
    const found = await findCheckpoint(folder);
    expect(found).toMatchObject({ path: join(folder, "step-1000000.safetensors"), refused: [] });
    expect(found?.checkpoint.step).toBe(1_000_000);
  });

  test("passes over whatever cannot be used, and says why", async () => {
    put(checkpointName(10), whole(10));
    put(checkpointName(11), "");
    put(checkpointName(12), whole(12).subarray(0, 500_000));
    put(checkpointName(13), whole(13).with(700_000, 1));
    put(checkpointName(14), "text");
    put(checkpointName(15), whole(10));
    mkdirSync(join(folder, checkpointName(16)));
    symlinkSync("nowhere", join(folder, checkpointName(17)));
    const found = await findCheckpoint(folder);
    expect(found?.checkpoint.step).toBe(10);
    expect(found?.refused).toEqual([
      expect.stringMatching(/step-000017\.safetensors does not exist/),
      expect.stringMatching(/step-000016\.safetensors is a folder/),
      expect.stringMatching(/step-000015\.safetensors holds step 10, not the one of its name/),
      expect.stringMatching(/step-000014\.safetensors is truncated|step-000014\.safetensors is not a safetensors file/),
      expect.stringMatching(/step-000013\.safetensors is damaged/),
      expect.stringMatching(/step-000012\.safetensors is truncated/),
      expect.stringMatching(/step-000011\.safetensors is empty/),
    ]);
  });

  test("refuses a folder in which none can be used", async () => {
    put(checkpointName(10), "text");
    put(checkpointName(20), "");
    await expect(findCheckpoint(folder)).rejects.toMatchObject({
      code: "refused",
      message: expect.stringMatching(
        /^none of the 2 checkpoints in .* can be used; .* The newest: .*step-000020.* is empty/,
      ),
    });
    renameSync(folder, join(root, "elsewhere"));
    writeFileSync(folder, "");
    await expect(findCheckpoint(folder)).rejects.toMatchObject({ code: "refused" });
    expect(existsSync(folder)).toBe(true);
  });
});
