import type { EvalConfig } from "../shared/config.ts";
import { readCheckpoint } from "../shared/checkpoint-file.ts";
import { stateSha256 } from "../shared/checkpoint.ts";
import { loadDataset } from "../shared/data/dataset.ts";
import { InputSource } from "../shared/data/input-source.ts";
import { formatPercent } from "../shared/format.ts";
import { runningStatistics } from "../shared/model/contribution.ts";
import { IMAGE_SIZE, PARAMETER_COUNT } from "../shared/model/lenet5.ts";
import { createEngine } from "../worker/engines/select.ts";
import { bindGpu } from "../worker/gpus/bind-gpu.ts";
import { countCorrect } from "../worker/task-runner.ts";

/** Images at a time. Logits do not depend on it. */
const CHUNK = 250;

/** `lockstep eval`: a checkpoint's accuracy on the test set. @returns the exit code */
export async function evalCommand(config: EvalConfig): Promise<number> {
  const checkpoint = await readCheckpoint(config.checkpoint);
  const dataset = await loadDataset(config.data);
  // It is short, and needs little: a GPU that trains can do it on the side.
  const binding = await bindGpu({
    ...{ engine: config.engine, gpu: config.gpu, shareGpu: true, withoutClaim: true },
    what: `lockstep eval of ${config.checkpoint}`,
  });
  if (binding.note !== undefined) process.stderr.write(`lockstep eval: ${binding.note}\n`);
  const engine = await createEngine(binding.engine, {
    deterministic: config.deterministic,
    ...(binding.gpu === undefined ? {} : { gpu: binding.gpu }),
  });
  engine.load(checkpoint.state.subarray(0, PARAMETER_COUNT));
  const running = runningStatistics(checkpoint.state.subarray(PARAMETER_COUNT));
  const source = new InputSource(dataset.test);
  const images = new Float32Array(CHUNK * IMAGE_SIZE);
  const labels = new Uint8Array(CHUNK);
  let correct = 0;
  for (let start = 0; start < source.count; start += CHUNK) {
    const end = Math.min(start + CHUNK, source.count);
    source.gatherRange(start, end, images, labels);
    const batch = { images: images.subarray(0, (end - start) * IMAGE_SIZE), labels: labels.subarray(0, end - start) };
    const { logits } = await engine.evaluate({ ...batch, ...running });
    correct += countCorrect(logits, batch.labels);
  }
  await engine.dispose();
  binding.release();
  if (checkpoint.dataDigest !== dataset.digest) {
    process.stderr.write(`lockstep eval: note: the checkpoint was trained on other data than ${dataset.name}\n`);
  }
  const accuracy = correct / source.count;
  const text = `Accuracy of the network on the ${source.count} test images: ${formatPercent(accuracy)}\n`;
  (config.json ? process.stderr : process.stdout).write(text);
  if (config.json) {
    const { step, epoch, seed } = checkpoint;
    const result = {
      ...{ testAccuracy: accuracy, testErrors: source.count - correct, testSamples: source.count },
      ...{ step, epoch, seed, engine: engine.name, data: dataset.name },
      weightsSha256: stateSha256(checkpoint.state),
    };
    process.stdout.write(`${JSON.stringify(result)}\n`);
  }
  return 0;
}
