import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { DATA_FILES, loadDataset, type DataFile } from "../../../src/shared/data/dataset.ts";
import { STORED_SIZE, encodeImages, encodeLabels } from "../../../src/shared/data/idx.ts";

const CONTENTS: Readonly<Record<DataFile, Uint8Array>> = {
  trainImages: encodeImages(Uint8Array.from({ length: 3 * STORED_SIZE }, (_, index) => index)),
  trainLabels: encodeLabels(Uint8Array.of(3, 0, 9)),
  testImages: encodeImages(new Uint8Array(STORED_SIZE).fill(5)),
  testLabels: encodeLabels(Uint8Array.of(5)),
};
const FILES = Object.keys(DATA_FILES) as DataFile[];

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-data-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

test("MNIST comes with lockstep", async () => {
  const { name, train, test: testSplit, digest } = await loadDataset();
  expect(name).toBe("MNIST");
  expect([train.count, train.pixels.length, train.labels.length]).toEqual([60_000, 60_000 * STORED_SIZE, 60_000]);
  expect([testSplit.count, testSplit.pixels.length, testSplit.labels.length]).toEqual([
    10_000,
    10_000 * STORED_SIZE,
    10_000,
  ]);
  expect([...train.labels.subarray(0, 10)]).toEqual([5, 0, 4, 1, 9, 2, 1, 3, 1, 4]);
  expect(digest).toBe("c65580678af93f1ea48c2c0d01d543ec89307c6b8a0eb7ca542d7c18c5f4c681");
});

test("a folder of plain files", async () => {
  for (const file of FILES) put(DATA_FILES[file], CONTENTS[file]);
  expect(await loadDataset(folder)).toEqual({
    name: basename(folder),
    train: { count: 3, pixels: CONTENTS.trainImages.slice(16), labels: Uint8Array.of(3, 0, 9) },
    test: { count: 1, pixels: new Uint8Array(STORED_SIZE).fill(5), labels: Uint8Array.of(5) },
    digest: expect.stringMatching(/^[0-9a-f]{64}$/),
  });
});

test.each([
  { layout: "compressed", nameOf: (name: string) => `${name}.gz`, pack: gzipSync },
  { layout: "compressed under plain names", nameOf: (name: string) => name, pack: gzipSync },
  {
    layout: "dotted names",
    nameOf: (name: string) => name.replace("-idx", ".idx"),
    pack: (bytes: Uint8Array) => bytes,
  },
  {
    layout: "dotted names, compressed",
    nameOf: (name: string) => `${name.replace("-idx", ".idx")}.gz`,
    pack: gzipSync,
  },
])("$layout mean the same as plain files", async ({ nameOf, pack }) => {
  for (const file of FILES) put(DATA_FILES[file], CONTENTS[file]);
  const plain = await loadDataset(folder);
  for (const file of FILES) {
    rmSync(join(folder, DATA_FILES[file]));
    put(nameOf(DATA_FILES[file]), pack(CONTENTS[file]));
  }
  expect(await loadDataset(folder)).toEqual(plain);
});

test("a folder named like a file does not hide the file under its other name", async () => {
  for (const file of FILES) put(DATA_FILES[file].replace("-idx", ".idx"), CONTENTS[file]);
  mkdirSync(join(folder, DATA_FILES.trainImages));
  expect((await loadDataset(folder)).train.count).toBe(3);
});

test.each(FILES)("any change of %s changes the digest", async (changed) => {
  for (const file of FILES) put(DATA_FILES[file], CONTENTS[file]);
  const before = await loadDataset(folder);
  put(DATA_FILES[changed], CONTENTS[changed].with(-1, 1));
  expect((await loadDataset(folder)).digest).not.toBe(before.digest);
});

test.each([
  {
    what: "a missing file",
    spoil: () => rmSync(join(folder, DATA_FILES.testLabels)),
    says: "lacks t10k-labels-idx1-ubyte; looked for t10k-labels-idx1-ubyte, t10k-labels-idx1-ubyte.gz, t10k-labels.idx1-ubyte, t10k-labels.idx1-ubyte.gz; put one of them there",
  },
  {
    what: "a folder in place of a file",
    spoil: () => {
      rmSync(join(folder, DATA_FILES.trainImages));
      mkdirSync(join(folder, DATA_FILES.trainImages));
    },
    says: "train-images-idx3-ubyte is a folder; expected an IDX file",
  },
  {
    what: "a damaged gzip file",
    spoil: () => put(DATA_FILES.trainImages, gzipSync(CONTENTS.trainImages).fill(0xff, 20, 40)),
    says: "train-images-idx3-ubyte is damaged: gzip says",
  },
  {
    what: "a truncated gzip file",
    spoil: () => put(DATA_FILES.trainImages, gzipSync(CONTENTS.trainImages).subarray(0, -10)),
    says: 'train-images-idx3-ubyte is damaged: gzip says "unexpected end of file"; download it again',
  },
  {
    what: "different counts",
    spoil: () => put(DATA_FILES.trainLabels, CONTENTS.testLabels),
    says: "holds 3 images but",
  },
  {
    what: "swapped files",
    spoil: () => {
      put(DATA_FILES.testImages, CONTENTS.testLabels);
      put(DATA_FILES.testLabels, CONTENTS.testImages);
    },
    says: "t10k-images-idx3-ubyte holds labels where images are expected; are the two files swapped?",
  },
  {
    what: "an empty file",
    spoil: () => put(DATA_FILES.testImages, new Uint8Array()),
    says: "t10k-images-idx3-ubyte is empty",
  },
])("refuses $what", async ({ spoil, says }) => {
  for (const file of FILES) put(DATA_FILES[file], CONTENTS[file]);
  spoil();
  await expectRefusal(folder, says);
});

test("refuses a folder that does not exist, and a file in place of the folder", async () => {
  await expectRefusal(join(folder, "nowhere"), "nowhere does not exist; name one that holds train-images-idx3-ubyte");
  put("file", Uint8Array.of(1));
  await expectRefusal(join(folder, "file"), "file is a file; name the folder that holds train-images-idx3-ubyte");
});

function put(name: string, content: Uint8Array): void {
  writeFileSync(join(folder, name), content);
}

async function expectRefusal(path: string, says: string): Promise<void> {
  const refusal = { code: "refused", message: expect.stringContaining(says) };
  await expect(loadDataset(path)).rejects.toMatchObject(refusal);
}
