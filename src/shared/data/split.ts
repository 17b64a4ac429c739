/** The training or the test half of a data set: images and their labels, in the order of the files. */
export interface Split {
  readonly count: number;
  /** [count, 28, 28] bytes, 0 for background. */
  readonly pixels: Uint8Array;
  /** [count] bytes from 0 to 9. */
  readonly labels: Uint8Array;
  /** Where resized images are kept, if threads share them. */
  readonly resized?: ResizedImages;
}

/** Images as the network takes them, before normalisation: made by whoever needs one first, then kept. */
export interface ResizedImages {
  /** [count, 32, 32]; an image's bytes are valid once `done` says so. */
  readonly bytes: Uint8Array;
  /** [count], 1 for an image that is there. Read and written atomically: whoever sees a 1 sees the image too. */
  readonly done: Uint8Array;
}
