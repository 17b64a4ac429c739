import { expect, test } from "vitest";
import { suggest } from "../../src/shared/suggest.ts";

const OPTIONS = ["epochs", "batchSize", "shardSize", "lr", "seed", "schedule"];

test.each([
  ["epoch", "epochs"],
  ["epcohs", "epochs"],
  ["batch_size", "batchSize"],
  ["BATCHSIZE", "batchSize"],
  ["sharSize", "shardSize"],
  ["l", "lr"],
  ["sede", "seed"],
])("%s may mean %s", (word, meant) => {
  expect(suggest(word, OPTIONS)).toBe(meant);
});

test.each(["optimizer", "x", "momentum"])("%s is like nothing", (word) => {
  expect(suggest(word, ["epochs", "batchSize"])).toBeUndefined();
});
