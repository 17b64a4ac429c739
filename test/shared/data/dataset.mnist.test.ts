import { expect, test, vi } from "vitest";
import { loadDataset } from "../../../src/shared/data/dataset.ts";

// A disk that flips one label of the MNIST that comes with lockstep.
vi.mock("node:fs/promises", async (importOriginal) => {
  const actual = await importOriginal<typeof import("node:fs/promises")>();
  const readFile = async (path: string): Promise<Uint8Array> => {
    const bytes = await actual.readFile(path);
    return path.endsWith("t10k-labels-idx1-ubyte") ? Uint8Array.from(bytes).with(-1, 1) : bytes;
  };
  return { ...actual, readFile };
});

test("MNIST that differs from the official files is refused", async () => {
  await expect(loadDataset()).rejects.toMatchObject({
    code: "refused",
    message: expect.stringMatching(
      /t10k-labels-idx1-ubyte is not MNIST's: its SHA-256 is [0-9a-f]{64}, expected ff7bcfd4[0-9a-f]{56}; reinstall/,
    ),
  });
});
