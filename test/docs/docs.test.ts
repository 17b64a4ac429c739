import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { flagName } from "../../src/shared/config-resolve.ts";
import { describeOption } from "../../src/shared/config-values.ts";
import { COMMAND_OPTIONS, type OptionTable } from "../../src/shared/config.ts";
import { EXIT_CODES, SIGNAL_EXIT_CODES } from "../../src/shared/errors.ts";
import { formatCount } from "../../src/shared/format.ts";
import { SLICES } from "../../src/shared/model/contribution.ts";
import { PARAMETERS, STATISTICS } from "../../src/shared/model/lenet5.ts";
import {
  coordinatorHeader,
  LIMITS,
  PROTOCOL_VERSION,
  REJECTIONS,
  workerHeader,
} from "../../src/shared/protocol/messages.ts";

/** What the documents say about the code is true of the code. */

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string): string => readFileSync(join(ROOT, path), "utf8");
const README = read("README.md");
const PROTOCOL = read("docs/PROTOCOL.md");

/** The cells of the table rows whose first cell begins with the given code. */
function rowsOf(text: string, code: string): string[][] {
  const rows = text.split("\n").filter((line) => line.startsWith(`| \`${code}`));
  return rows.map((row) => row.split("|").map((cell) => cell.trim()));
}

describe("PROTOCOL.md", () => {
  const messages = [...workerHeader.options, ...coordinatorHeader.options].map(({ shape }) => ({
    name: shape.type.value,
    fields: Object.keys(shape).filter((field) => field !== "type"),
  }));

  test.each(messages)("has a row for $name with all its fields and no others", ({ name, fields }) => {
    const [row] = rowsOf(PROTOCOL, `${name}\``);
    const documented = [...(row?.[2] ?? "").matchAll(/`(\w+)/g)].flatMap(([, field]) => field ?? []);
    expect(documented.toSorted()).toEqual(fields.toSorted());
  });

  test.each(REJECTIONS)("says what a worker does when it is refused with %s", (code) => {
    expect(rowsOf(PROTOCOL, `${code}\``).length).toBeGreaterThan(0);
  });

  test("names the version, the limits and the sizes of the code", () => {
    expect(PROTOCOL).toContain(`version ${PROTOCOL_VERSION}, defined in`);
    for (const limit of [
      LIMITS.headerBytes,
      LIMITS.frames,
      LIMITS.shardsPerBatch,
      LIMITS.samplesPerBatch,
      LIMITS.text,
    ]) {
      expect(PROTOCOL).toContain(`| ${formatCount(limit)} `);
    }
    for (const name of ["conv", "dense"] as const) {
      const [row] = rowsOf(PROTOCOL, `${name}\``);
      expect(row?.[3]).toBe(formatCount(SLICES[name].contributionLength * 4));
      expect(row?.[5]).toBe(formatCount(SLICES[name].stateLength * 4));
    }
  });
});

describe("README.md", () => {
  const options = new Map(
    Object.values(COMMAND_OPTIONS).flatMap((groups: Readonly<Record<string, OptionTable>>) =>
      Object.values(groups).flatMap((table) => Object.entries(table).map(([key, schema]) => [flagName(key), schema])),
    ),
  );

  test("names only options that exist", () => {
    // Those of other commands are not lockstep's.
    const text = README.replaceAll(/^(npm run setup:gpu|curl) .*$/gm, "");
    const named = [...text.matchAll(/(?<![\w-])--[a-z][a-z-]*/g)].map(([flag]) => flag);
    const known = [...options.keys(), "--config", "--help", "--build"];
    expect(named.filter((flag) => !known.includes(flag))).toEqual([]);
  });

  test("gives the defaults of the code", () => {
    for (const [flag, schema] of options) {
      const { default: fallback } = describeOption(schema);
      if (typeof fallback !== "string" && typeof fallback !== "number") continue;
      const [row] = rowsOf(README, `${flag} `);
      const shown = row?.[2]?.replaceAll("`", "");
      // "auto" is put into words.
      if (shown !== undefined && flag !== "--workers") expect(`${flag} ${shown}`).toBe(`${flag} ${fallback}`);
    }
  });

  test("lists all exit codes", () => {
    for (const code of new Set([0, ...Object.values(EXIT_CODES), Object.values(SIGNAL_EXIT_CODES).join(", ")])) {
      expect(README).toMatch(new RegExp(`^\\| ${code} +\\|`, "m"));
    }
  });
});

describe("links", () => {
  const documents = [
    ...["README.md", "CONTRIBUTING.md", "CHANGELOG.md"],
    ...readdirSync(join(ROOT, "docs"), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".md"))
      .map((name) => join("docs", name)),
  ];

  test.each(documents)("of %s lead somewhere", (document) => {
    const links = [...read(document).matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link]) => link ?? []);
    const broken = links.filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? join(ROOT, document) : resolve(ROOT, dirname(document), path);
      if (!existsSync(target)) return true;
      return anchor !== undefined && !anchorsOf(read(relative(ROOT, target))).includes(anchor);
    });
    expect(broken).toEqual([]);
  });
});

/** The anchors that headings get: lower case, words joined by hyphens, other characters dropped. */
function anchorsOf(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].flatMap(([, heading]) => heading ?? []);
  return headings.map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w -]/g, "")
      .replaceAll(" ", "-"),
  );
}

test("a contribution and a state have as many values as PROTOCOL.md says", () => {
  const state = [...PARAMETERS, ...STATISTICS].reduce((sum, { size }) => sum + size, 0);
  expect(PROTOCOL).toContain(`of ${formatCount(state + 2)} float32 values`);
  expect(PROTOCOL).toContain(`of ${formatCount(state)}.`);
});
