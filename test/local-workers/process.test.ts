import { expect, test } from "vitest";
import { workerFlags } from "../../src/local-workers/process.ts";
import { loadConfig } from "../../src/shared/config-sources.ts";

/** What a child makes of its flags; they come in pairs, but for switches. */
function read(flags: readonly string[]): unknown {
  const given: Record<string, unknown> = {};
  for (const [i, flag] of flags.entries()) {
    if (!flag.startsWith("--")) continue;
    const value = flags[i + 1];
    const key = flag
      .slice(2)
      .replace(/^no-/, "")
      .replaceAll(/-(.)/g, (_, letter: string) => letter.toUpperCase());
    given[key] = value === undefined || value.startsWith("--") ? !flag.startsWith("--no-") : value;
  }
  return loadConfig("worker", given, {});
}

const PLAIN = { address: "ipc:///a", engine: "auto", deterministic: true, shareGpu: false } as const;

test("a worker process is told on its command line what its worker is to be", () => {
  expect(read(workerFlags({ ...PLAIN, gpu: undefined, data: undefined }))).toMatchObject({
    ...{ connect: "ipc:///a", engine: "auto", deterministic: true, gpu: "auto", shareGpu: false, quiet: true },
  });
  const gpu = { index: 3, uuid: "GPU-a", name: "H100" };
  expect(
    read(workerFlags({ ...PLAIN, engine: "tensorflow", deterministic: false, gpu, shareGpu: true, data: "d" })),
  ).toMatchObject({ engine: "tensorflow", deterministic: false, gpu: 3, shareGpu: true, data: "d" });
  expect(read(workerFlags({ ...PLAIN, engine: "tensorflow", gpu: "none", data: undefined }))).toMatchObject({
    gpu: "none",
  });
});
