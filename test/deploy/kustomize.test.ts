import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import type { Manifest } from "./kustomize.ts";
import { FOLDERS, KUBERNETES, RENDERED, SECRETS } from "./manifests.ts";
import { mergeStrategically } from "./strategic-merge.ts";

/** What the other tests look at is what kustomize itself makes of the folders. */

/** Both have kustomize; that of Debian's kubectl, 1.20, is too old for these folders. */
const KUSTOMIZE = [
  ["kubectl", "kustomize"],
  ["kustomize", "build"],
].find(([program = ""]) => major(spawnSync(program, ["version", "--client"], { encoding: "utf8" }).stdout ?? "") >= 4);

const missing = KUSTOMIZE === undefined ? " (skipped: no kubectl 1.21 or later, and no kustomize 4 or later)" : "";

function major(version: string): number {
  const kubectl = /Client Version: v1\.(\d+)/.exec(version)?.[1];
  if (kubectl !== undefined) return Number(kubectl) >= 21 ? 4 : 2;
  return Number(/v(\d+)\./.exec(version)?.[1] ?? 0);
}

describe.skipIf(KUSTOMIZE === undefined)(`kustomize${missing}`, () => {
  let copy: string;

  beforeAll(() => {
    copy = mkdtempSync(join(tmpdir(), "lockstep-kubernetes-"));
    cpSync(KUBERNETES, copy, { recursive: true, filter: (path) => !path.includes("/keys") });
    for (const [file, content] of Object.entries(SECRETS)) {
      mkdirSync(dirname(join(copy, "base", file)), { recursive: true });
      writeFileSync(join(copy, "base", file), content);
    }
  });
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  test.each(FOLDERS)("makes the same of %s", (folder) => {
    const [program = "", command = ""] = KUSTOMIZE!;
    const { stdout, stderr, status } = spawnSync(program, [command, join(copy, folder)], { encoding: "utf8" });
    expect(stderr).toBe("");
    expect(status).toBe(0);
    const made = parseAllDocuments(stdout).map((document) => document.toJS() as Manifest);
    expect(sorted(made)).toEqual(sorted(RENDERED[folder]));
  });
});

/** kustomize sorts objects by their kinds. */
function sorted(manifests: readonly Manifest[]): Manifest[] {
  const nameOf = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
  return manifests.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

describe("the renderer for machines without kustomize", () => {
  test("merges lists of named items, and replaces the others", () => {
    const [x, y, z] = [
      { name: "X", value: "1" },
      { name: "Y", value: "2" },
      { name: "Z", value: "3" },
    ];
    const before = { containers: [{ name: "b" }, { name: "a", args: ["1", "2"], env: [x, y] }] };
    const patch = { containers: [{ name: "a", args: ["3"], env: [z, { name: "Y", value: "4" }] }] };
    expect(mergeStrategically(before, patch)).toEqual({
      containers: [{ name: "a", args: ["3"], env: [z, { name: "Y", value: "4" }, x] }, { name: "b" }],
    });
  });

  test("refuses what it does not know", () => {
    expect(() => mergeStrategically({ a: 1 }, { a: null })).toThrow("a null for a");
  });
});
