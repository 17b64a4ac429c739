/** The training or the test half of a data set: images and their labels, in the order of the files. */
export interface Split {
  readonly count: number;
  /** [count, 28, 28] bytes, 0 for background. */
  readonly pixels: Uint8Array;
  /** [count] bytes from 0 to 9. */
  readonly labels: Uint8Array;
}
