import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { decisiveSettings, otherSettings, repeatCommand } from "../../src/report/repeat-command.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { loadConfig } from "../../src/shared/config-sources.ts";
import { DECISIVE_OPTIONS, publicConfig, type TrainConfig } from "../../src/shared/config.ts";
import { addOptions, parseArguments } from "../../src/shared/options.ts";
import { Command } from "commander";

/** What the command makes of itself, as a shell takes it apart. */
async function configOf(command: string): Promise<TrainConfig> {
  const words = execFileSync("sh", ["-c", `printf '%s\\0' ${command}`], { encoding: "utf8" })
    .split("\0")
    .slice(0, -1);
  expect(words.slice(0, 3)).toEqual(["npx", "lockstep", "train"]);
  let config: TrainConfig | undefined;
  const program = new Command("lockstep");
  addOptions(program.command("train"), "train").action((flags: Record<string, unknown>) => {
    config = loadConfig("train", flags, {});
  });
  await parseArguments(program, words.slice(2));
  return config!;
}

test.each([
  {},
  { recipe: "best" },
  { epochs: 3, lr: 4e-7, schedule: "cosine", clipNorm: 1.5, limitTrain: 4000, seed: 2 ** 40, ema: 0, augment: true },
  { warmupEpochs: 0.5, weightDecay: 0.05, labelSmoothing: 0.1, accumulate: 4, validation: 5_000, patience: 3 },
  { recipe: "fast", data: "it's a $(folder)\n", batchSize: 100, shardSize: 1 },
] as const)("comes to the same weights: %j", async (options) => {
  const config = configFrom("train", options);
  const again = await configOf(repeatCommand(publicConfig(config), "wasm"));
  for (const key of [...DECISIVE_OPTIONS, "data"] as const) expect([key, again[key]]).toEqual([key, config[key]]);
});

test("names the engine where it is not the default, and one alone", () => {
  expect(repeatCommand({}, "wasm")).toBe("npx lockstep train");
  expect(repeatCommand({}, "tensorflow")).toBe("npx lockstep train --engine tensorflow");
  expect(repeatCommand({}, "tensorflow+wasm")).toBe("npx lockstep train");
});

test("names what was changed alone, and what the time of one start was limited to not at all", () => {
  const config = configFrom("train", { weightDecay: 0.05, validation: 5_000, patience: 3, maxMinutes: 2 });
  expect(repeatCommand(publicConfig(config), "wasm")).toBe(
    "npx lockstep train --weight-decay 0.05 --validation 5000 --patience 3",
  );
  expect(otherSettings(publicConfig(config))).toContainEqual({ flag: "--max-minutes", value: "2", isDefault: false });
});

test("tells of options that an older run does not know as it was trained: with their defaults", () => {
  expect(decisiveSettings({ epochs: 3 })).toContainEqual({ flag: "--accumulate", value: "1", isDefault: true });
});

test("tells all options, each once", () => {
  const config = publicConfig(configFrom("train", { runDir: "r", keepCheckpoints: 7 }));
  const flags = [...decisiveSettings(config), ...otherSettings(config)].map(({ flag }) => flag);
  expect(new Set(flags).size).toBe(flags.length);
  expect(otherSettings(config)).toContainEqual({ flag: "--keep-checkpoints", value: "7", isDefault: false });
  expect(decisiveSettings(config)).toContainEqual({ flag: "--clip-norm", value: undefined, isDefault: true });
});
