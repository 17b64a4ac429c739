import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";

/** A line of nvidia-smi about a GPU that is not there. */
export function gpuLine(index: number, uuid: string): string {
  return `${index}, ${uuid}, NVIDIA H100 80GB HBM3, 550.54.15, 81559, 9.0, Disabled`;
}

/**
 * Writes an `nvidia-smi` that says these lines.
 * @param folder for the program
 * @returns a PATH in which it comes first
 */
export function fakeNvidiaSmi(folder: string, lines: readonly string[], exitCode = 0): string {
  const bin = join(folder, "fake-nvidia-smi");
  mkdirSync(bin, { recursive: true });
  const said = lines.map((line) => `echo '${line.replaceAll("'", "'\\''")}'`);
  writeFileSync(join(bin, "nvidia-smi"), ["#!/bin/sh", ...said, `exit ${exitCode}`, ""].join("\n"), { mode: 0o755 });
  return `${bin}${delimiter}${process.env.PATH ?? ""}`;
}
