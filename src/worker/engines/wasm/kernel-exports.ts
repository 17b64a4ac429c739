/** What lenet5.wasm exports. Shapes stand at each kernel's source in `kernels/`. */

/** A byte address in the module's memory. */
export type Address = number;

export interface Lenet5Kernels {
  firstFreeByte(): Address;

  interleave(from: Address, to: Address, n: number): void;
  interleaveBytes(from: Address, to: Address, n: number, table: Address): void;
  separate(from: Address, to: Address, n: number): void;
  sumLanes(from: Address, to: Address, n: number): void;
  clear(at: Address, bytes: number): void;

  conv1Forward: ConvolutionForward;
  conv2Forward: ConvolutionForward;
  conv1WeightsGradient: ConvolutionWeightsGradient;
  conv2WeightsGradient: ConvolutionWeightsGradient;
  conv2InputGradient(dy: Address, w: Address, dx: Address, pin: number): void;

  mergeMoments(
    moments: Address,
    count: number,
    channels: number,
    positions: number,
    mean: Address,
    variance: Address,
  ): void;
  foldNormalization(
    mean: Address,
    variance: Address,
    gamma: Address,
    beta: Address,
    channels: number,
    epsilon: number,
    scale: Address,
    shift: Address,
  ): void;
  normalizeAndPool(
    y: Address,
    scale: Address,
    shift: Address,
    pooled: Address,
    winners: Address,
    channels: number,
    side: number,
  ): void;
  sumPooledGradient(
    dPooled: Address,
    pooled: Address,
    winners: Address,
    mean: Address,
    sums: Address,
    channels: number,
    positions: number,
  ): void;
  finishNormalizationGradient(
    sums: Address,
    variance: Address,
    gamma: Address,
    channels: number,
    count: number,
    epsilon: number,
    dGamma: Address,
    dBeta: Address,
    coefficients: Address,
  ): void;
  expandGradient(
    dPooled: Address,
    winners: Address,
    y: Address,
    mean: Address,
    coefficients: Address,
    lanes: number,
    dy: Address,
    channels: number,
    side: number,
  ): void;

  fc1Forward: DenseForward;
  fc2Forward: DenseForward;
  fc3Forward: DenseForward;
  fc1InputGradient(dy: Address, w: Address, dx: Address, pin: number): void;
  fc2InputGradient: DenseReluInputGradient;
  fc3InputGradient: DenseReluInputGradient;
  fc1WeightsGradient: DenseWeightsGradient;
  fc2WeightsGradient: DenseWeightsGradient;
  fc3WeightsGradient: DenseWeightsGradient;

  softmaxCrossEntropy(
    logits: Address,
    labels: Address,
    dLogits: Address,
    groups: number,
    count: number,
    globalCount: number,
    labelSmoothing: number,
    summary: Address,
  ): void;
}

type ConvolutionForward = (
  x: Address,
  w: Address,
  b: Address,
  y: Address,
  moments: Address,
  lanes: number,
  pin: number,
) => void;

type ConvolutionWeightsGradient = (x: Address, dy: Address, sums: Address, pin: number) => void;

type DenseForward = (x: Address, w: Address, b: Address, y: Address, pin: number) => void;

type DenseReluInputGradient = (dy: Address, w: Address, x: Address, dx: Address, pin: number) => void;

type DenseWeightsGradient = (x: Address, dy: Address, dw: Address, db: Address, groups: number, pin: number) => void;
