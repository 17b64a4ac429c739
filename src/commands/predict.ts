import { Classifier } from "../predict/classifier.ts";
import { newestCheckpoint } from "../predict/newest-checkpoint.ts";
import { pictureOf } from "../predict/picture.ts";
import { type Prediction, type PredictionRequest, predictFiles, type RefusedFile } from "../predict/predict-files.ts";
import { ranked } from "../predict/probabilities.ts";
import type { PipedIn } from "../predict/read-image-file.ts";
import { classNames } from "../report/class-names.ts";
import { readCheckpoint } from "../shared/checkpoint-file.ts";
import type { PredictConfig } from "../shared/config.ts";
import { EXIT_CODES, LockstepError } from "../shared/errors.ts";
import { formatPercent } from "../shared/format.ts";
import { TextOutput, type TextStream } from "../shared/text-output.ts";
import { createEngine } from "../worker/engines/select.ts";
import { bindGpu } from "../worker/gpus/bind-gpu.ts";

/** Where the command reads and speaks; `process` is such a place. */
export interface PredictIo {
  readonly stdin: PipedIn;
  readonly stdout: TextStream;
  readonly stderr: TextStream;
  /** `NO_COLOR` (https://no-color.org) and `TERM` are respected. */
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Of a terminal that does not say, or says 0. */
const USUAL_COLUMNS = 80;
/** Classes that are named after the likeliest. */
const RUNNERS_UP = 2;

/**
 * `lockstep predict`: which class each image shows, with a checkpoint's weights. @returns the exit code: that of what is
 * refused when any image was
 *
 * @throws LockstepError `refused` for a checkpoint that cannot be used, `usage` for one that cannot be found
 */
export async function predictCommand(config: PredictConfig, io: PredictIo = process): Promise<number> {
  if (config.images.filter((file) => file === "-").length > 1) {
    throw new LockstepError("usage", "- is named more than once; one image can be piped in");
  }
  const stderr = new TextOutput(io.stderr);
  const path = config.checkpoint ?? newestCheckpoint();
  const checkpoint = await readCheckpoint(path);
  const { step, epoch } = checkpoint;
  const { data } = checkpoint.config;
  const names = classNames(config.data ?? (typeof data === "string" ? data : undefined));
  // It is short, and needs little: a GPU that trains can do it on the side.
  const binding = await bindGpu({
    ...{ engine: config.engine, gpu: config.gpu, shareGpu: true, withoutClaim: true },
    what: `lockstep predict with ${path}`,
  });
  if (binding.note !== undefined) stderr.line(`lockstep predict: ${binding.note}`);
  const engine = await createEngine(binding.engine, {
    deterministic: config.deterministic,
    ...(binding.gpu === undefined ? {} : { gpu: binding.gpu }),
  });
  stderr.line(printable(`Checkpoint ${path}, after step ${step}, epoch ${epoch}`));
  const classifier = new Classifier(engine, checkpoint.state);
  const prepare = { invert: config.invert, fit: config.fit };
  try {
    return await answer({ files: config.images, stdin: io.stdin, classifier, prepare }, names, config.json, io);
  } finally {
    await engine.dispose();
    binding.release();
  }
}

async function answer(
  request: PredictionRequest,
  names: readonly string[],
  json: boolean,
  io: PredictIo,
): Promise<number> {
  const [stdout, stderr] = [new TextOutput(io.stdout), new TextOutput(io.stderr)];
  const isOnly = request.files.length === 1;
  let anyRefused = false;
  for await (const outcome of predictFiles(request)) {
    if ("error" in outcome) {
      anyRefused = true;
      stderr.line(printable(`lockstep predict: ${outcome.error}`));
    } else {
      for (const warning of outcome.warnings) {
        stderr.line(printable(`lockstep predict: warning: ${nameOf(outcome)} ${warning}`));
      }
    }
    if (json) stdout.line(JSON.stringify(asJson(outcome, names)));
    else if (!("error" in outcome)) {
      const isAlone = isOnly && outcome.index === undefined;
      if (isAlone) show(outcome, stdout, io.env);
      stdout.line(printable(`${isAlone ? "" : `${nameOf(outcome)}: `}${verdict(outcome, names)}`));
    }
    // Nobody reads on, as under `| head`.
    if (stdout.hasFailed) break;
  }
  return anyRefused ? EXIT_CODES.refused : 0;
}

/** On a terminal, what the network saw. */
function show({ pixels }: Prediction, stdout: TextOutput, env: PredictIo["env"]): void {
  if (!stdout.isTTY) return;
  const coloured = !env.NO_COLOR && env.TERM !== "dumb";
  const columns = stdout.columns === undefined || stdout.columns === 0 ? USUAL_COLUMNS : stdout.columns;
  const lines = pictureOf(pixels, { coloured, columns });
  for (const line of lines) stdout.line(line);
}

/** `7 with 99.87 %, then 1 with 0.08 %, 9 with 0.03 %` */
function verdict({ probabilities }: Prediction, names: readonly string[]): string {
  const [best = "", ...next] = ranked(probabilities)
    .slice(0, 1 + RUNNERS_UP)
    .map((each) => `${names[each]!} with ${formatPercent(probabilities[each]!)}`);
  return `${best}, then ${next.join(", ")}`;
}

function asJson(outcome: Prediction | RefusedFile, names: readonly string[]): Record<string, unknown> {
  if ("error" in outcome) return { file: outcome.file, error: outcome.error };
  const { file, index, probabilities, inverted, warnings } = outcome;
  return {
    file,
    ...(index === undefined ? {} : { index }),
    ...{ class: outcome.class, name: names[outcome.class], probabilities: [...probabilities], inverted, warnings },
  };
}

/** `digits.idx[17]` for one of several in a file. */
function nameOf({ file, index }: Prediction): string {
  return index === undefined ? file : `${file}[${index}]`;
}

/** What would steer the terminal, in a file's name for example, becomes a space. */
function printable(line: string): string {
  return line.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, " ");
}
