/** What the page is told of the weights that it computes with: `model.json`. */
export interface ModelCard {
  /** The run's folder; null for a checkpoint outside of one. */
  readonly run: string | null;
  /** The checkpoint's path, as it was given or found. */
  readonly checkpoint: string;
  readonly step: number;
  readonly epoch: number;
  /** Share of the test images, 0 to 1, that these very weights get right; null where nobody has measured it. */
  readonly testAccuracy: number | null;
  /** SHA-256 in hexadecimal. */
  readonly weightsSha256: string;
  /** Names of the ten classes. */
  readonly classNames: readonly string[];
  /** Classes of the images in `samples.idx`, in their order; none where there are no such images. */
  readonly sampleLabels: readonly number[];
}
