import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { COORDINATOR_EVENTS, WORKER_EVENTS } from "../../src/shared/log/vocabulary.ts";

/** docs/LOGS.md has the names and levels of the code, in its order. */

const text = readFileSync(new URL("../../docs/LOGS.md", import.meta.url), "utf8");

test.each([
  ["Events of a run", COORDINATOR_EVENTS],
  ["Events of a worker", WORKER_EVENTS],
])("%s", (heading, events) => {
  const [, section = ""] = text.split(`\n## ${heading}\n`);
  const [own = ""] = section.split("\n## ");
  const rows = [...own.matchAll(/^\| `([a-z-]+)` \*? *\| `([a-z]+)` *\|/gm)].map(([, name, level]) => [name, level]);
  expect(rows).toEqual(Object.entries(events));
});
