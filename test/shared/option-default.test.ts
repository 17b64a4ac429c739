import { expect, test } from "vitest";
import { DECISIVE_OPTIONS } from "../../src/shared/config.ts";
import { configFrom } from "../../src/shared/config-resolve.ts";
import { defaultOf } from "../../src/shared/option-default.ts";

test("each option that decides the weights defaults to what a run without options has", () => {
  const config = configFrom("train", {});
  for (const key of DECISIVE_OPTIONS) expect(defaultOf(key), key).toBe(config[key]);
  expect(defaultOf("clipNorm")).toBeUndefined();
});
