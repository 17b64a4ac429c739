import { LockstepError } from "../shared/errors.ts";
import { STORED_SIZE } from "../shared/data/idx.ts";
import { formatPercent } from "../shared/format.ts";
import type { Classifier } from "./classifier.ts";
import { decodeFile } from "./decode-file.ts";
import { type Blank, prepareImage, type PrepareOptions } from "./prepare-image.ts";
import { ranked } from "./probabilities.ts";
import { type PipedIn, readImageFile, readPipedImage } from "./read-image-file.ts";

/** What the network makes of one image. */
export interface Prediction {
  readonly file: string;
  /** The image's place in a file that holds several, from 0. */
  readonly index?: number;
  /** The most likely class. */
  readonly class: number;
  /** Of each class, [10]; they add up to 1. */
  readonly probabilities: Float64Array;
  /** What the network was shown, before it was stretched to its input: [28, 28] bytes, 0 for background. */
  readonly pixels: Uint8Array;
  /** Whether dark and light were exchanged. */
  readonly inverted: boolean;
  /** Why the answer may mean little: each goes on from the file's name. */
  readonly warnings: readonly string[];
}

/** An image that could not be used, and the sentence that says why. */
export interface RefusedFile {
  readonly file: string;
  readonly error: string;
}

export interface PredictionRequest {
  /** Paths; `-` is what is piped in. */
  readonly files: readonly string[];
  readonly stdin: PipedIn;
  readonly classifier: Classifier;
  readonly prepare: PrepareOptions;
}

/** Images at a time. */
const BATCH = 250;
/** What has been read waits no longer than this for a batch to be full. */
const WAIT_MS = 200;
/** With a smaller probability the likeliest class is no answer. */
const FLAT = 0.5;

/** The predictions in the order of the files, as they come. A file that is refused does not hold up the others. */
export async function* predictFiles(request: PredictionRequest): AsyncGenerator<Prediction | RefusedFile> {
  let waiting: (PreparedItem | RefusedFile)[] = [];
  let since = performance.now();
  for await (const item of preparedItems(request)) {
    waiting.push(item);
    if (waiting.length < BATCH && performance.now() - since < WAIT_MS) continue;
    yield* await classified(waiting, request.classifier);
    waiting = [];
    since = performance.now();
  }
  yield* await classified(waiting, request.classifier);
}

interface PreparedItem {
  readonly file: string;
  readonly index?: number;
  readonly pixels: Uint8Array;
  readonly inverted: boolean;
  readonly blank?: Blank;
}

async function* preparedItems(request: PredictionRequest): AsyncGenerator<PreparedItem | RefusedFile> {
  for (const file of request.files) {
    try {
      const bytes = file === "-" ? await readPipedImage(request.stdin) : await readImageFile(file);
      const decoded = decodeFile(bytes, file === "-" ? "stdin" : file);
      if (decoded.type === "picture") {
        yield { file, ...prepareImage(decoded.image, request.prepare) };
      } else {
        for (let index = 0; index < decoded.count; index++) {
          const pixels = decoded.pixels.subarray(index * STORED_SIZE, (index + 1) * STORED_SIZE);
          yield { file, index, ...asStored(pixels, request.prepare) };
        }
      }
    } catch (error) {
      if (!(error instanceof LockstepError)) throw error;
      yield { file, error: error.message };
    }
  }
}

/** An image of a data set is used as it is, unless somebody wishes otherwise. */
function asStored(pixels: Uint8Array, { invert }: PrepareOptions): Omit<PreparedItem, "file"> {
  const inverted = invert === "yes";
  const first = pixels[0];
  return {
    pixels: inverted ? pixels.map((value) => 255 - value) : pixels,
    inverted,
    ...(pixels.every((value) => value === first) ? { blank: "empty" } : {}),
  };
}

async function classified(
  items: readonly (PreparedItem | RefusedFile)[],
  classifier: Classifier,
): Promise<readonly (Prediction | RefusedFile)[]> {
  const prepared = items.filter((item) => "pixels" in item);
  const results = (
    prepared.length === 0 ? [] : await classifier.classify(prepared.map(({ pixels }) => pixels))
  ).values();
  return items.map((item) => {
    const probabilities = "pixels" in item ? results.next().value : undefined;
    return "pixels" in item && probabilities !== undefined ? prediction(item, probabilities) : (item as RefusedFile);
  });
}

function prediction({ blank, ...item }: PreparedItem, probabilities: Float64Array): Prediction {
  const [best = 0] = ranked(probabilities);
  const warnings: string[] = [];
  if (blank !== undefined) warnings.push(BLANK_WARNINGS[blank]);
  else if (probabilities[best]! < FLAT) {
    warnings.push(`is like no class: the likeliest has ${formatPercent(probabilities[best]!)}`);
  }
  return { ...item, class: best, probabilities, warnings };
}

const BLANK_WARNINGS = {
  empty: "is empty: nothing on it differs from the rest, so the answer means nothing",
  "nearly uniform": "is nearly uniform: hardly anything on it differs from the rest, so the answer means little",
} as const satisfies Record<Blank, string>;
