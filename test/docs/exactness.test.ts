import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { environmentName, flagName } from "../../src/shared/config-resolve.ts";
import { COMMAND_OPTIONS, type CommandName, type OptionTable } from "../../src/shared/config.ts";
import { portions } from "../../src/shared/fleet/portions.ts";
import { PartialSums } from "../../src/shared/reduction/partial-sums.ts";
import { endShard, firstShard, isNode, type TreeNode } from "../../src/shared/reduction/tree.ts";
import { VectorMemory } from "../../src/shared/vector/vector-memory.ts";
import { privatePool } from "../../src/shared/vector/vector-pool.ts";

/** docs/EXACTNESS.md and its pictures show what the code does. */

const read = (path: string): string => readFileSync(new URL(`../../docs/${path}`, import.meta.url), "utf8");
const PAGE = read("EXACTNESS.md");
const SHARDS = 8;
const WORKERS = ["A", "B", "C"];

const memory = new VectorMemory();
const sums = new PartialSums(memory, privatePool(memory, 1));
const nameOf = ({ level, index }: TreeNode): string => `${level}/${index}`;
const isUnder = (node: TreeNode, top: TreeNode): boolean =>
  firstShard(node) >= firstShard(top) && endShard(node, SHARDS) <= endShard(top, SHARDS);

/** All nodes of the tree at which two numbers are added. */
const additions = Array.from({ length: 4 * SHARDS }, (_, i) => ({
  level: 1 + Math.floor(i / SHARDS),
  index: i % SHARDS,
}))
  .filter((node) => isNode(node, SHARDS))
  .toSorted((a, b) => a.level - b.level || a.index - b.index);

interface Assignment {
  readonly worker: string;
  readonly shards: readonly number[];
}

/** Neighbouring shards for each worker, as the coordinator shares them out among workers of the same speed. */
function assigned(shards: readonly number[], workers: readonly string[]): Assignment[] {
  const lengths = portions(
    shards.length,
    workers.map(() => 1),
  );
  let start = 0;
  return lengths.map((length, i) => ({ worker: workers[i] ?? "", shards: shards.slice(start, (start += length)) }));
}

const all = Array.from({ length: SHARDS }, (_, shard) => shard);

/** What a worker sends for an assignment. */
function sentFor({ shards }: Assignment, values: readonly number[] = all): { node: TreeNode; value: number }[] {
  sums.reset(SHARDS);
  for (const shard of shards) {
    const vector = sums.borrow();
    vector.values[0] = values[shard] ?? 0;
    sums.add({ level: 0, index: shard }, vector);
  }
  return sums.partial().map(({ node, sum }) => ({ node, value: sum.values[0] ?? 0 }));
}

/** Who makes each addition. */
function addersOf(assignments: readonly Assignment[]): Record<string, string> {
  const sent = assignments.flatMap((each) => sentFor(each).map(({ node }) => ({ node, by: each.worker })));
  return Object.fromEntries(
    additions.map((node) => [nameOf(node), sent.find(({ node: top }) => isUnder(node, top))?.by ?? "coordinator"]),
  );
}

/** The root's value, when these are the shards' numbers. */
function treeTotal(assignments: readonly Assignment[], values: readonly number[]): number {
  const sent = assignments.flatMap((each) => sentFor(each, values));
  sums.reset(SHARDS);
  for (const { node, value } of sent) {
    const vector = sums.borrow();
    vector.values[0] = value;
    sums.add(node, vector);
  }
  return sums.total().values[0] ?? 0;
}

/** What the page shows as output after a text. */
function blockAfter(text: string): string {
  const [, after = ""] = PAGE.split(text);
  return /```text\n([^]*?)```/.exec(after)?.[1] ?? "";
}

/** A sum as pictures and tables name it: `s2`, `s2 + s3`, `s0 … s3`. */
function labelOf(node: TreeNode): string {
  const [first, last] = [firstShard(node), endShard(node, SHARDS) - 1];
  if (node.level === 0) return `s${first}`;
  return `s${first} ${node.level === 1 ? "+" : "…"} s${last}`;
}

/** The elements of a picture that have a data attribute: all of their data attributes, and the first text in them. */
function elementsWith(svg: string, attribute: string): Record<string, string>[] {
  const found = svg.matchAll(new RegExp(`<[^<>]* data-${attribute}="[^<>]*?(?:/>|>[^]*?</text>)`, "g"));
  return [...found].map(([element]) => {
    const attributes: Record<string, string> = { text: />([^<>]*)<\/text>/.exec(element)?.[1] ?? "" };
    for (const [, key = "", value = ""] of element.matchAll(/ data-(\w+)="([^"]*)"/g)) attributes[key] = value;
    return attributes;
  });
}

describe("the worked example", () => {
  const values = (/gradients ([^]*?)\. Where/.exec(PAGE)?.[1] ?? "").match(/\d\.\d/g)?.map(Number) ?? [];
  const inFloat32 = values.map(Math.fround);

  test("three numbers come to what the command prints", () => {
    const [command, code = ""] = /^node -p '([^']*)'$/m.exec(PAGE) ?? [];
    const printed = execFileSync(process.execPath, ["-p", code], { encoding: "utf8" });
    expect(blockAfter(command ?? "")).toBe(printed);
    const [left = 0, right = 0] = JSON.parse(printed) as number[];
    expect(left).not.toBe(right);
    for (const [sum, name] of [
      [left, "(a + b) + c"],
      [right, "a + (b + c)"],
    ] as const) {
      const bits = new Uint32Array(new Float32Array([sum]).buffer)[0] ?? 0;
      expect(PAGE).toContain(`\`${name}\` is 0x${bits.toString(16)}`);
    }
  });

  test.each([1, 2, 3])("eight numbers of %d workers come to what the table says", (workers) => {
    const assignments = assigned(all, WORKERS.slice(0, workers));
    const plain = (terms: readonly number[]): number => terms.reduce((sum, term) => Math.fround(sum + term));
    const naive = plain(assignments.map(({ shards }) => plain(shards.map((shard) => inFloat32[shard] ?? 0))));
    const shares = assignments.map(({ shards }) => shards.length).join(", ");
    const tree = treeTotal(assignments, inFloat32);
    expect(naive).not.toBe(tree);
    expect(PAGE).toMatch(new RegExp(`^\\| +${workers} \\| ${shares} .* \\| ${naive} +\\| ${tree} +\\|$`, "m"));
  });

  test("the tree's levels are those of the adding code", () => {
    const shown = blockAfter("levels are, in every case,\n").trimEnd().split("\n");
    for (const [fromTop, line] of shown.entries()) {
      const level = Math.log2(SHARDS) - fromTop;
      const width = 2 ** level;
      const nodes = Array.from({ length: SHARDS / width }, (_, i) => {
        const shards = all.slice(i * width, (i + 1) * width);
        return sentFor({ worker: "", shards }, inFloat32)[0]?.value;
      });
      expect(line.match(/[\d.]+/g)?.map((number) => Math.fround(Number(number)))).toEqual(nodes);
    }
    expect(shown).toHaveLength(Math.log2(SHARDS) + 1);
  });
});

describe("the tree", () => {
  const svg = read("images/reduction-tree.svg");
  const [, two = "", three = ""] = svg.split(/(?=<g [^>]*data-workers=)/);

  test.each([
    [2, two],
    [3, three],
  ])("is drawn as it is for %d workers", (workers, panel) => {
    expect(panel).toContain(`data-workers="${workers}"`);
    const assignments = assigned(all, WORKERS.slice(0, workers));
    const adders = addersOf(assignments);
    const leaves = assignments.flatMap(({ worker, shards }) =>
      shards.map((index) => ({ node: nameOf({ level: 0, index }), by: worker, text: `s${index}` })),
    );
    const nodes = additions.map((node) => {
      const [level, left] = [node.level - 1, 2 * node.index];
      const children = `${nameOf({ level, index: left })} ${nameOf({ level, index: left + 1 })}`;
      return { node: nameOf(node), children, by: adders[nameOf(node)], text: labelOf(node) };
    });
    expect(elementsWith(panel, "node")).toEqual([...leaves, ...nodes]);
    const coloured = panel.match(/class="(\w+)" data-node="[^>]* data-by="\1"/g);
    expect(coloured).toHaveLength(leaves.length + nodes.length);
    const sent = assignments.flatMap((each) => sentFor(each).map(({ node }) => nameOf(node)));
    const drawn = elementsWith(panel, "sent").map((edge) => edge["sent"] ?? "");
    expect(drawn.toSorted()).toEqual(sent.toSorted());
  });

  test.each([1, 2, 3])("the table says what %d workers send and add", (workers) => {
    const assignments = assigned(all, WORKERS.slice(0, workers));
    const sent = WORKERS.map((name) => {
      const own = assignments.filter(({ worker }) => worker === name);
      return own.flatMap((each) => sentFor(each).map(({ node }) => labelOf(node))).join(", ");
    });
    const byCoordinator = Object.values(addersOf(assignments)).filter((who) => who === "coordinator").length;
    const row = [workers, ...sent, additions.length - byCoordinator, byCoordinator].map(String);
    const rows = PAGE.split("\n").map((line) => line.split("|").map((cell) => cell.trim()));
    expect(rows).toContainEqual(["", ...row, ""]);
  });
});

test("the crash is drawn as it would go", () => {
  const svg = read("images/crash-in-a-step.svg");
  const before = assigned(all, WORKERS);
  const lost = before.find(({ worker }) => worker === "B");
  const again = assigned(lost?.shards ?? [], ["A", "C"]);
  const done = [...before.filter((each) => each !== lost), ...again];
  const computed = elementsWith(svg, "shard").map(
    ({ worker, shard, lost: isLost }) => `${worker}${shard}${isLost ?? ""}`,
  );
  const expected = done.flatMap(({ worker, shards }) => shards.map((shard) => `${worker}${shard}`));
  expect(computed.toSorted()).toEqual([...expected, "B3", "B4true"].toSorted());
  const [undisturbed, crashed] = [addersOf(before), addersOf(done)];
  expect(elementsWith(svg, "node")).toEqual(
    additions.map((node) => ({
      ...{ node: nameOf(node), text: labelOf(node) },
      ...{ undisturbed: undisturbed[nameOf(node)], crashed: crashed[nameOf(node)] },
    })),
  );
  const coloured = svg.match(/data-undisturbed="(\w+)" data-crashed="(\w+)">[^]*?<g class="\1">[^]*?<g class="\2">/g);
  expect(coloured).toHaveLength(additions.length);
  const numbers = all.map((shard) => Math.fround(0.1 * (shard + 1)));
  expect(treeTotal(done, numbers)).toBe(treeTotal(before, numbers));
});

test.each(["reduction-tree", "crash-in-a-step"])(
  "the picture %s says in words what it shows, and loads nothing",
  (name) => {
    const svg = read(`images/${name}.svg`);
    expect(svg).toMatch(/<title id="title">[^<]+<\/title>\s*<desc id="desc">[^<]+<\/desc>/);
    expect(svg).not.toMatch(/<script|<image|href=|@import|url\((?!#)/);
    expect(PAGE).toMatch(new RegExp(`!\\[[^\\]]+\\]\\(images/${name}\\.svg\\)`));
  },
);

test("the commands and their options exist", () => {
  const tables = (command: string): string[] =>
    Object.values<OptionTable>(COMMAND_OPTIONS[command as CommandName]).flatMap((table) => Object.keys(table));
  const shell = [...PAGE.matchAll(/```sh\n([^]*?)```/g)].map(([, block]) => block).join("\n");
  const calls = [...shell.matchAll(/npx lockstep ([\w-]+)(.*)/g)];
  expect(calls.length).toBeGreaterThan(3);
  for (const [, command = "", rest = ""] of calls) {
    expect(Object.keys(COMMAND_OPTIONS)).toContain(command);
    const known = tables(command).map(flagName);
    for (const [flag] of rest.matchAll(/--[a-z-]+/g)) expect(known).toContain(flag);
    for (const [variable] of shell.matchAll(/LOCKSTEP_\w+/g))
      expect(tables(command).map(environmentName)).toContain(variable);
  }
});
