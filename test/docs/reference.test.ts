import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { COMMAND_OPTIONS } from "../../src/shared/config.ts";
import { REFERENCE, referenceText } from "./reference.ts";

test("docs/REFERENCE.md is what the options make: otherwise run `npm run reference`", async () => {
  expect(readFileSync(REFERENCE, "utf8")).toBe(await referenceText());
});

test("every option of every command has a row in its command's section, and a sentence", async () => {
  const text = await referenceText();
  for (const [name, groups] of Object.entries(COMMAND_OPTIONS)) {
    const section = text.split(/^## lockstep /m).find((each) => each.startsWith(`${name}\n`)) ?? "";
    const rows = section.split("\n").filter((line) => line.startsWith("| `"));
    expect(rows, name).toHaveLength(Object.values(groups).flatMap((table) => Object.keys(table)).length);
    for (const row of rows) expect(row.split(/(?<!\\)\|/)[5]?.trim(), row).toMatch(/^[\w-].{8,}$/);
  }
});
