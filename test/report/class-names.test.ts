import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { classNames } from "../../src/report/class-names.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lockstep-classes-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const write = (lines: readonly string[]): void => writeFileSync(join(folder, "classes.txt"), lines.join("\n"));
const TEN = ["T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"];

test("are digits unless the data's folder says otherwise", () => {
  expect([classNames(undefined), classNames(folder)].map((names) => names.join(""))).toEqual([
    "0123456789",
    "0123456789",
  ]);
});

test("are the lines of classes.txt, and not too long", () => {
  write([...TEN.slice(0, 9), "😀".repeat(40), ""]);
  expect(classNames(folder)).toEqual([...TEN.slice(0, 9), `${"😀".repeat(23)}…`]);
});

test.each([{ lines: TEN.slice(1) }, { lines: [...TEN, "more"] }, { lines: TEN.with(4, " ") }])(
  "are refused when they are not ten: $lines",
  ({ lines }) => {
    write(lines);
    expect(() => classNames(folder)).toThrow(/classes\.txt has \d+ lines; expected 10/);
  },
);
