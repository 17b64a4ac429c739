import { expect, test } from "vitest";
import { FILE_PROPERTIES } from "./file-properties.ts";
import { MESSAGE_PROPERTIES, tally } from "./message-properties.ts";

/** Ten thousand cases with each run of the tests; `npm run fuzz` goes on from here. */
const CASES = 10_000;

test.each([...MESSAGE_PROPERTIES, ...FILE_PROPERTIES].map((property) => [property.name, property] as const))(
  "%s",
  (_, property) => {
    property.check(Math.ceil(CASES * property.share), Math.trunc(Math.random() * 2 ** 31));
  },
  120_000,
);

test("what comes close to a message is among the cases, and what is one", () => {
  expect(Math.min(tally.taken, tally.refused)).toBeGreaterThan(CASES / 100);
});
