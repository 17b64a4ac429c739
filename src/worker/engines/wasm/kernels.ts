import type { KernelModule } from "../../../shared/kernel-module.ts";
import { BATCH_NORM } from "./kernels/batch-norm.ts";
import { CONVOLUTION_FORWARD } from "./kernels/convolution-forward.ts";
import { CONVOLUTION_INPUT_GRADIENT } from "./kernels/convolution-input-gradient.ts";
import { CONVOLUTION_WEIGHTS_GRADIENT } from "./kernels/convolution-weights-gradient.ts";
import { DENSE } from "./kernels/dense.ts";
import { HELPERS } from "./kernels/helpers.ts";
import { LAYOUT } from "./kernels/layout.ts";
import { LOSS } from "./kernels/loss.ts";
import { STATISTICS } from "./kernels/statistics.ts";

/** The LeNet-5 kernels, compiled to `lenet5.wasm`; `kernel-exports.ts` lists what they export. */
export const LENET5_KERNELS: KernelModule = {
  name: "lenet5",
  source: [
    HELPERS,
    LAYOUT,
    CONVOLUTION_FORWARD,
    CONVOLUTION_WEIGHTS_GRADIENT,
    CONVOLUTION_INPUT_GRADIENT,
    STATISTICS,
    BATCH_NORM,
    DENSE,
    LOSS,
  ].join("\n"),
};
