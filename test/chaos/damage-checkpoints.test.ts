import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  checkpointsIn,
  dropForeign,
  garbleNewest,
  temporariesIn,
  truncateNewest,
  untilCheckpointIsWritten,
} from "./damage-checkpoints.ts";
import { Draws } from "./draws.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-damage-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const WHOLE = new Uint8Array(5_000).fill(1);
const put = (...names: string[]): void => {
  for (const name of names) writeFileSync(join(folder, name), WHOLE);
};
const read = (name: string): Uint8Array => new Uint8Array(readFileSync(join(folder, name)));

describe("damage", () => {
  test.each([
    ["truncated", truncateNewest],
    ["garbled", garbleNewest],
  ])("%s: is done to the newest of the run's own checkpoints alone", (_, damage) => {
    put("step-000050.safetensors", "step-1000000.safetensors", "step-000900.safetensors", "step-9999999.safetensors");
    mkdirSync(join(folder, "step-000970.safetensors"));
    for (let seed = 1; seed <= 20; seed++) {
      put("step-1000000.safetensors");
      expect(damage(folder, 1_000_000, new Draws(seed))).toMatch(/^step-1000000/);
      expect(read("step-1000000.safetensors")).not.toEqual(WHOLE);
    }
    for (const name of ["step-000050", "step-000900", "step-9999999"]) {
      expect(read(`${name}.safetensors`)).toEqual(WHOLE);
    }
  });

  test("spares the only checkpoint, and a folder that is not there", () => {
    put("step-000050.safetensors");
    expect(truncateNewest(folder, 100, new Draws(1))).toBeUndefined();
    expect(garbleNewest(join(folder, "none"), 100, new Draws(1))).toBeUndefined();
    expect(dropForeign(join(folder, "none"), new Draws(1))).toBeUndefined();
    expect(read("step-000050.safetensors")).toEqual(WHOLE);
  });

  test("adds things that are none of the run's checkpoints", () => {
    put("step-000050.safetensors");
    for (let seed = 1; seed <= 30; seed++) dropForeign(folder, new Draws(seed));
    expect(readdirSync(folder).length).toBeGreaterThan(10);
    expect(temporariesIn(folder).length).toBeGreaterThan(0);
    expect(checkpointsIn(folder, 800_000).map((path) => basename(path))).toEqual(["step-000050.safetensors"]);
  });
});

test("the moment in which a checkpoint is written is seen, and nothing else is taken for it", async () => {
  put(".old.tmp");
  const seen = untilCheckpointIsWritten(folder, 10_000);
  put("step-000050.safetensors");
  put(".step-000100.safetensors.0123.tmp");
  expect(await seen).toBe(true);
  const unseen = untilCheckpointIsWritten(folder, 50);
  put("step-000150.safetensors");
  renameSync(join(folder, ".old.tmp"), join(folder, "older"));
  expect(await unseen).toBe(false);
});
