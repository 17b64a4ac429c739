/** Writes a run's checkpoints while training goes on, and finds the one to go on from. */

import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { checkpointName, stepOfName } from "../shared/checkpoint-file.ts";
import { decidingErrors, isJustEvaluated } from "../shared/checkpoint-progress.ts";
import { type Checkpoint, encodeCheckpoint } from "../shared/checkpoint.ts";
import { LockstepError, messageOf, systemCode } from "../shared/errors.ts";
import { createFileSync, replaceFile } from "../shared/whole-file.ts";
import { CheckpointFolder, namesIn, readNamed, type UsableFile } from "./checkpoint-folder.ts";
import { makeFolder } from "./run-directory.ts";

export interface CheckpointStoreOptions {
  readonly folder: string;
  /** Newest checkpoints that are kept, at least 1; the best one stays beside them. */
  readonly keep: number;
  /** A checkpoint is on disk and will survive a power failure. */
  readonly onSaved: (saved: SavedCheckpoint) => void;
  /** A sentence: a checkpoint could not be written; training goes on. */
  readonly onFailed: (message: string) => void;
  /** A sentence, once for each kind: links or older files are not as they should be; `onFailed` is told unless given. */
  readonly onWarning?: (message: string) => void;
  /** Where the last checkpoint goes when `folder` takes none; the system's folder for temporary files unless told. */
  readonly refuge?: string;
  /** Puts a file's bytes in its place, whole and to stay; `replaceFile` unless told. */
  readonly write?: (path: string, bytes: Uint8Array) => Promise<void>;
  /** Milliseconds of any one clock that never runs backwards; `performance.now` unless told. */
  readonly now?: () => number;
}

export interface SavedCheckpoint {
  readonly path: string;
  readonly step: number;
  readonly isBest: boolean;
  readonly sizeBytes: number;
  /** From the beginning of its writing until it was there to stay. */
  readonly durationMs: number;
}

export interface Saving {
  /** Whether these very weights were just evaluated: only such a checkpoint can be the best one. */
  readonly isEvaluated: boolean;
}

export interface FoundCheckpoint {
  readonly path: string;
  readonly checkpoint: Checkpoint;
  /** A sentence for each newer file that was refused. */
  readonly refused: readonly string[];
}

/** A file to be written. */
interface Waiting extends UsableFile {
  readonly bytes: Uint8Array;
}

/** Files of the same run and step in the refuge, before something is taken to be wrong there. */
const MAX_REFUGEES = 100;

/**
 * The checkpoints of a run under way: files `step-000938.safetensors`, and the links `latest` and `best` to two of
 * them. What there is on disk stays usable whatever happens: older files go only once a newer one is there to stay.
 */
export class CheckpointStore {
  readonly #options: CheckpointStoreOptions;
  readonly #folder: CheckpointFolder;
  /** In the order in which they are to be written: at most two. */
  #waiting: readonly Waiting[] = [];
  #working: Promise<void> | undefined;
  #last: UsableFile | undefined;
  readonly #warned = new Set<string>();

  private constructor(options: CheckpointStoreOptions) {
    this.#options = options;
    this.#folder = new CheckpointFolder(options.folder);
  }

  /** Removes temporary files that a killed process left, and looks at the checkpoints that are there. */
  static async open(options: CheckpointStoreOptions): Promise<CheckpointStore> {
    const store = new CheckpointStore(options);
    try {
      await store.#folder.removeTemporaries();
      await store.#folder.survey();
    } catch (error) {
      store.#warn(`cannot read the checkpoints in ${options.folder}: ${messageOf(error)}`);
    }
    return store;
  }

  /**
   * Takes the values now and begins to write. One file is written at a time; meanwhile the newest waits, and so does
   * the best one that was evaluated. Tells of a failure through `onFailed` alone: the next one is tried again.
   *
   * @throws LockstepError `diverged`, at once, when a value is not finite: nothing on disk is touched
   */
  save(checkpoint: Checkpoint, saving: Saving): void {
    const newest = waitingFor(checkpoint, saving.isEvaluated);
    this.#waiting = [...stillWanted(this.#waiting, newest), newest];
    this.#working ??= this.#work();
  }

  /** Settles once nothing is being written or waits. */
  async settled(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  /**
   * The run's last checkpoint: waits for what is under way, and writes this one unless it is there already. When the
   * folder does not take it, it goes to the refuge, beside whatever is there, and `onFailed` is told so.
   *
   * @returns the path
   * @throws LockstepError `failed` when neither place takes it, `diverged` when a value is not finite
   */
  async saveLast(
    checkpoint: Checkpoint,
    saving: Saving = { isEvaluated: isJustEvaluated(checkpoint) },
  ): Promise<string> {
    const file = waitingFor(checkpoint, saving.isEvaluated);
    await this.settled();
    const path = join(this.#options.folder, file.name);
    if (await this.#isThere(file)) return path;
    const failure = await this.#write(file);
    if (failure === undefined) return path;
    return this.#takeRefuge(file, `cannot write the last checkpoint ${path}: ${failure}`);
  }

  async #work(): Promise<void> {
    try {
      for (let [next] = this.#waiting; next !== undefined; [next] = this.#waiting) {
        this.#waiting = this.#waiting.slice(1);
        const failure = await this.#write(next);
        if (failure === undefined) continue;
        const path = join(this.#options.folder, next.name);
        const comfort = "training goes on, and the next one is tried again";
        this.#options.onFailed(`cannot write the checkpoint ${path}: ${failure}; ${comfort}`);
      }
    } finally {
      this.#working = undefined;
    }
  }

  /** @returns why the file could not be written, if so; of all else that fails people are warned */
  async #write(file: Waiting): Promise<string | undefined> {
    const { folder, keep, onSaved, write = replaceFile, now = () => performance.now() } = this.#options;
    const { name, step, evaluatedEpochs, errors } = file;
    const startedAt = now();
    try {
      makeFolder(folder);
      await this.#folder.setAside(name);
      await write(join(folder, name), file.bytes);
    } catch (error) {
      return messageOf(error);
    }
    const durationMs = now() - startedAt;
    const written = { name, step, evaluatedEpochs, errors };
    this.#last = written;
    await this.#unlessItFails("look at", async () => {
      await this.#folder.add(written);
      await this.#folder.survey();
    });
    await this.#unlessItFails("link", () => this.#folder.link(name));
    const isBest = this.#folder.best()?.name === name;
    onSaved({ path: join(folder, name), step, isBest, sizeBytes: file.bytes.byteLength, durationMs });
    await this.#unlessItFails("remove older", () => this.#folder.removeOlder(keep, name));
    return undefined;
  }

  /** Does what can fail without harm to what is written, and says so the first time. */
  async #unlessItFails(what: string, act: () => Promise<void>): Promise<void> {
    try {
      await act();
    } catch (error) {
      if (this.#warned.has(what)) return;
      this.#warned.add(what);
      const problem = `cannot ${what} checkpoints in ${this.#options.folder}: ${messageOf(error)}`;
      this.#warn(`${problem}; the checkpoints themselves are written`);
    }
  }

  #warn(message: string): void {
    const { onFailed, onWarning = onFailed } = this.#options;
    onWarning(message);
  }

  async #isThere({ name, step, evaluatedEpochs }: Waiting): Promise<boolean> {
    if (this.#last?.step !== step || this.#last.evaluatedEpochs !== evaluatedEpochs) return false;
    return (await this.#folder.find(name).catch(() => undefined)) !== undefined;
  }

  #takeRefuge({ name, bytes }: Waiting, problem: string): string {
    const { folder, refuge = tmpdir(), onFailed } = this.#options;
    const run = basename(dirname(resolve(folder)));
    for (let attempt = 1; ; attempt++) {
      const suffix = attempt > 1 ? `-${attempt}` : "";
      const path = join(refuge, `lockstep-${run}-${basename(name, ".safetensors")}${suffix}.safetensors`);
      try {
        createFileSync(path, bytes);
        onFailed(`${problem}; it is in ${path} instead: copy it to ${join(folder, name)} to go on from it`);
        return path;
      } catch (error) {
        if (systemCode(error) === "EEXIST" && attempt < MAX_REFUGEES) continue;
        const message = `${problem}, nor ${path}: ${messageOf(error)}; make room and resume from the one before`;
        throw new LockstepError("failed", message, { cause: error });
      }
    }
  }
}

/**
 * The newest checkpoint in the folder that can be used; undefined when there is no checkpoint file at all.
 *
 * @throws LockstepError `refused` when there are some and none can be used
 */
export async function findCheckpoint(folder: string): Promise<FoundCheckpoint | undefined> {
  const refused: string[] = [];
  for (const name of await checkpointNames(folder)) {
    const path = join(folder, name);
    try {
      return { path, checkpoint: await readNamed(path, name), refused };
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      refused.push(error.message);
    }
  }
  if (refused.length === 0) return undefined;
  const message = `none of the ${refused.length} checkpoints in ${folder} can be used; train anew in another folder`;
  throw new LockstepError("refused", `${message}. The newest: ${refused[0]}`);
}

/** From the newest on. */
async function checkpointNames(folder: string): Promise<string[]> {
  try {
    const names = (await namesIn(folder)).filter((name) => stepOfName(name) !== undefined);
    return names.sort((a, b) => stepOfName(b)! - stepOfName(a)!);
  } catch (error) {
    const message = `cannot read the folder of checkpoints ${folder}: ${messageOf(error)}`;
    throw new LockstepError("refused", message, { cause: error });
  }
}

function waitingFor(checkpoint: Checkpoint, isEvaluated: boolean): Waiting {
  const { step, progress } = checkpoint;
  const errors = isEvaluated ? decidingErrors(progress) : undefined;
  const { evaluatedEpochs } = progress;
  return { name: checkpointName(step), step, evaluatedEpochs, errors, bytes: encodeCheckpoint(checkpoint) };
}

/** Of those that wait when a newer one comes: the best of the evaluated ones, unless the newer one is better. */
function stillWanted(waiting: readonly Waiting[], newer: Waiting): Waiting[] {
  const evaluated = waiting.filter(({ step, errors }) => errors !== undefined && step !== newer.step);
  const [best] = evaluated.toSorted((a, b) => a.errors! - b.errors! || a.step - b.step);
  return best !== undefined && best.errors! <= (newer.errors ?? Infinity) ? [best] : [];
}
