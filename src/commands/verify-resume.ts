import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { publicConfig, type VerifyResumeConfig } from "../shared/config.ts";
import { LockstepError } from "../shared/errors.ts";
import type { TrainingResult } from "../shared/events.ts";
import { formatCount, formatPlural } from "../shared/format.ts";
import { TextOutput } from "../shared/text-output.ts";
import { plainEnvironment } from "../workshop/child-processes.ts";
import { inWorkshop, type Workshop } from "../workshop/workshop.ts";

/** Lines of progress in a run: an interruption comes this exactly. */
const LINES_A_RUN = 200;

/** Checkpoints in a run, unless it is told how often to write one. */
const CHECKPOINTS_A_RUN = 20;

/** Where between two evenly spread moments a run is interrupted, as a share: off any regular checkpoint. */
const OFFSET = 0.618;

interface Interruption {
  readonly signal: NodeJS.Signals;
  /** The first step that was seen to be done when the signal was sent. */
  readonly step: number;
  /** Where the next life took the run up. */
  resumedFrom: number;
}

/**
 * `lockstep verify-resume`: trains in real processes, once to the end and once with interruptions from each of which the
 * run is resumed, and compares the results.
 *
 * @returns the exit code: 0 when the weights are the same, 1 when they are not
 */
export function verifyResumeCommand(config: VerifyResumeConfig): Promise<number> {
  return inWorkshop((workshop) => verify(config, workshop));
}

async function verify(config: VerifyResumeConfig, { children, folder }: Workshop): Promise<number> {
  const human = new TextOutput(config.json ? process.stderr : process.stdout);
  const say = (line: string): void => {
    if (!config.quiet) human.line(line);
  };
  const configFile = join(folder, "config.json");
  // Its lines of progress are what tells how far it is.
  writeFileSync(configFile, JSON.stringify({ ...publicConfig(config), quiet: false, report: false }));
  const train = (runDir: string, options: readonly string[]): Life => {
    const files = ["--config", configFile, "--run-dir", join(folder, runDir), "--metrics-port", "0"];
    const args = [fileURLToPath(new URL("../cli.js", import.meta.url)), "train", ...files, "--json", ...options];
    return new Life(
      children.start(process.execPath, args, { env: plainEnvironment(), stdio: ["ignore", "pipe", "pipe"] }),
    );
  };

  const reference = await train("undisturbed", ["--no-resume"]).result();
  say(`Undisturbed: ${formatPlural(reference.steps, "step")}, weights ${reference.weightsSha256}`);

  const logEvery = Math.max(1, Math.floor(reference.steps / LINES_A_RUN));
  const every = config.checkpointEvery || Math.ceil(reference.steps / CHECKPOINTS_A_RUN);
  const interruptions: Interruption[] = [];
  let resumed: TrainingResult | undefined;
  for (let count = 0; resumed === undefined; count++) {
    const life = train("interrupted", ["--resume", "--log-every", `${logEvery}`, "--checkpoint-every", `${every}`]);
    const isLast = count === config.interruptions;
    const target = isLast ? Infinity : Math.ceil((reference.steps * (count + OFFSET)) / config.interruptions);
    const signal = count % 2 === 0 ? "SIGKILL" : "SIGTERM";
    const step = await life.interruptAt(target, signal);
    const before = interruptions.at(-1);
    if (before !== undefined) before.resumedFrom = life.resumedFrom;
    if (step === undefined) resumed = await life.result();
    else interruptions.push({ signal, step, resumedFrom: 0 });
    if (before !== undefined) {
      const [at, from] = [formatCount(before.step), formatCount(before.resumedFrom)];
      say(`Ended by ${before.signal} after step ${at}, resumed from step ${from}`);
    }
  }

  const same = isSame(reference, resumed);
  const { weightsSha256, steps } = resumed;
  say(
    `Interrupted ${formatPlural(interruptions.length, "time")}: ${formatPlural(steps, "step")}, weights ${weightsSha256}`,
  );
  human.line(same ? "The results are the same, bit for bit" : "THE RESULTS DIFFER: please report this");
  if (config.json) {
    new TextOutput(process.stdout).line(
      JSON.stringify({ same, steps, weightsSha256, interruptions, reference, resumed }),
    );
  }
  return same ? 0 : 1;
}

function isSame(one: TrainingResult, other: TrainingResult): boolean {
  const fields = [
    ...(["weightsSha256", "trainLoss", "testErrors", "validationErrors", "bestEpoch"] as const),
    ...(["steps", "samples", "epochs", "endedBy"] as const),
  ];
  return fields.every((field) => one[field] === other[field]);
}

/** One process that works on a run, from its start to its end. */
class Life {
  readonly #child: ReturnType<Workshop["children"]["start"]>;
  readonly #closed: Promise<unknown>;
  readonly #lines: string[] = [];
  #output = "";
  #onStep: (step: number) => void = () => {};
  /** The step from which it took the run up; 0 where there was nothing to resume. */
  resumedFrom = 0;

  constructor(child: ReturnType<Workshop["children"]["start"]>) {
    this.#child = child;
    this.#closed = once(child, "close");
    child.stdout?.on("data", (chunk: Buffer) => (this.#output += chunk.toString()));
    if (child.stderr !== null) createInterface({ input: child.stderr }).on("line", (line) => this.#read(line));
  }

  /** @throws LockstepError "failed" when it does not end well */
  async result(): Promise<TrainingResult> {
    await this.#closed;
    if (this.#child.exitCode !== 0) throw this.#failure();
    return JSON.parse(this.#output.trimEnd().split("\n").at(-1) ?? "") as TrainingResult;
  }

  /**
   * Sends a signal once this step is done, and waits for the end.
   * @returns the step that was done then; undefined when the run came to its end before
   * @throws LockstepError "failed" when it ends in another way
   */
  async interruptAt(target: number, signal: NodeJS.Signals): Promise<number | undefined> {
    let at: number | undefined;
    this.#onStep = (step) => {
      if (at !== undefined || step < target) return;
      at = step;
      this.#child.kill(signal);
    };
    await this.#closed;
    const { exitCode, signalCode } = this.#child;
    if (exitCode === 0) return undefined;
    const wasInterrupted = signal === "SIGKILL" ? signalCode === signal : exitCode === 143;
    if (at === undefined || !wasInterrupted) throw this.#failure();
    return at;
  }

  #read(line: string): void {
    this.#lines.push(line);
    const [, from] = /^Resuming .* from step ([\d,]+) of /.exec(line) ?? [];
    if (from !== undefined) this.resumedFrom = Number(from.replaceAll(",", ""));
    const [, epoch, step, steps] = /^Epoch \[(\d+)\/\d+\], Step \[(\d+)\/(\d+)\]/.exec(line) ?? [];
    if (steps !== undefined) this.#onStep((Number(epoch) - 1) * Number(steps) + Number(step));
  }

  #failure(): LockstepError {
    const { exitCode, signalCode } = this.#child;
    const how = exitCode === null ? `was ended by ${signalCode}` : `exited with code ${exitCode}`;
    return new LockstepError("failed", `lockstep train ${how}: ${this.#lines.slice(-5).join("\n")}`);
  }
}
