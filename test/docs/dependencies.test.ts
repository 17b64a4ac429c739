import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/** docs/DEPENDENCIES.md tells of what there is, and of nothing else; and it is held as that page says. */

const read = (path: string): string => readFileSync(fileURLToPath(new URL(`../../${path}`, import.meta.url)), "utf8");

type Versions = Readonly<Record<string, string>>;
const KINDS = ["dependencies", "optionalDependencies", "peerDependencies", "devDependencies"] as const;
const PACKAGE = JSON.parse(read("package.json")) as Partial<Record<(typeof KINDS)[number], Versions>> & {
  readonly allowScripts: Readonly<Record<string, boolean>>;
};
const LOCK = JSON.parse(read("package-lock.json")) as {
  readonly packages: Readonly<
    Record<string, { readonly integrity?: string; readonly hasInstallScript?: true; readonly license?: string }>
  >;
};
const ROWS = read("docs/DEPENDENCIES.md")
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => line.split("|").map((cell) => cell.replaceAll("`", "").trim()));
const nameOf = (path: string): string => path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length);

test("lists every direct dependency with its version, and no other", () => {
  const listed = ROWS.map(([, name, version]) => `${name} ${version}`);
  const direct = KINDS.flatMap((kind) => Object.entries(PACKAGE[kind] ?? {}).map((each) => each.join(" ")));
  expect(listed.toSorted()).toEqual(direct.toSorted());
});

test("has the licences of the lock file", () => {
  for (const [, name, , , licence] of ROWS) {
    const locked = LOCK.packages[`node_modules/${name}`]?.license;
    if (locked !== undefined) expect(licence, name).toBe(locked);
  }
});

test("versions are exact, and every package is pinned by its hash", () => {
  for (const kind of KINDS) {
    for (const [name, version] of Object.entries(PACKAGE[kind] ?? {})) expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
  }
  for (const [path, { integrity }] of Object.entries(LOCK.packages)) {
    if (path !== "") expect(integrity, path).toMatch(/^sha512-/);
  }
});

test("every package with an install script is allowed it, or refused it, by name", () => {
  const scripted = Object.entries(LOCK.packages).filter(([, { hasInstallScript }]) => hasInstallScript === true);
  const undecided = scripted.map(([path]) => nameOf(path)).filter((name) => !(name in PACKAGE.allowScripts));
  // Only for other systems than Linux, where it watches files.
  expect(undecided.filter((name) => name !== "fsevents" && name !== "lockstep" && name !== "")).toEqual([]);
});
