import { realpathSync } from "node:fs";
import { describeModel, type ExportChoices, type ImageLayout } from "../export/description.ts";
import { encodeOnnxModel } from "../export/onnx/messages.ts";
import { onnxModel } from "../export/onnx/onnx-model.ts";
import { safetensorsModel } from "../export/safetensors-model.ts";
import { tfjsModel } from "../export/tfjs/tfjs-model.ts";
import { trainedNetwork } from "../export/trained-network.ts";
import { writeModelFile, writeModelFolder } from "../export/write-export.ts";
import { readCheckpoint } from "../shared/checkpoint-file.ts";
import type { ExportConfig } from "../shared/config.ts";
import { LockstepError } from "../shared/errors.ts";
import { TextOutput, type TextStream } from "../shared/text-output.ts";
import { VERSION } from "../version.ts";

/** Where the command speaks; `process` is such a place. */
export interface ExportIo {
  readonly stdout: TextStream;
}

/** Where a model goes if nobody says. */
const DEFAULT_OUT = {
  safetensors: "lenet5.safetensors",
  tfjs: "lenet5-tfjs",
  onnx: "lenet5.onnx",
} as const satisfies Record<ExportConfig["format"], string>;

const LAYOUT = {
  safetensors: "channels-first",
  tfjs: "channels-last",
  onnx: "channels-first",
} as const satisfies Record<ExportConfig["format"], ImageLayout>;

const PRODUCER = { name: "lockstep", version: VERSION };
const GENERATOR = `${PRODUCER.name} ${PRODUCER.version}`;

/**
 * `lockstep export`: a checkpoint's model for other programs. @returns the exit code
 *
 * @throws LockstepError `refused` for a checkpoint that is none, `usage` when something is in the way of the model,
 *   `failed` when it cannot be written
 */
export async function exportCommand(config: ExportConfig, { stdout }: ExportIo = process): Promise<number> {
  const { checkpoint: source, format, force, out = DEFAULT_OUT[format] } = config;
  if (format === "safetensors" && config.withPreprocessing) {
    const message =
      "--with-preprocessing is not for --format safetensors, which holds weights and no operations; docs/EXPORT.md has " +
      "a function that prepares images";
    throw new LockstepError("usage", message);
  }
  const checkpoint = await readCheckpoint(source);
  if (isSameFile(source, out)) {
    throw new LockstepError("usage", `--out ${out} is the checkpoint itself; choose another place`);
  }
  const choices: ExportChoices = { isFolded: config.foldBatchNorm, preprocesses: config.withPreprocessing };
  const description = describeModel(checkpoint, choices, LAYOUT[format], GENERATOR);
  const network = trainedNetwork(checkpoint.state, choices.isFolded);
  const { preprocesses } = choices;
  switch (format) {
    case "safetensors":
      await writeModelFile(out, safetensorsModel(network, description), force);
      break;
    case "onnx": {
      const model = onnxModel(network, { preprocesses, description, producer: PRODUCER });
      await writeModelFile(out, encodeOnnxModel(model), force);
      break;
    }
    case "tfjs":
      await writeModelFolder(out, tfjsModel(network, { preprocesses, description, generator: GENERATOR }), force);
      break;
    default:
      format satisfies never;
  }
  if (!config.quiet) {
    const say = new TextOutput(stdout);
    say.line(`Wrote ${out}: the model after step ${checkpoint.step} of ${source}`);
    say.line(`Input: ${String(description.get("input"))}`);
    say.line(`Output: ${String(description.get("output"))}`);
  }
  return 0;
}

/** Whether two paths lead to one file, over whatever links. */
function isSameFile(existing: string, path: string): boolean {
  try {
    return realpathSync(existing) === realpathSync(path);
  } catch {
    return false;
  }
}
